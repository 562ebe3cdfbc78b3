//! A table of Markdown, set for a terminal.

use console::measure_text_width as width;
use pulldown_cmark::Alignment;

use super::flow::Flow;
use super::look::Look;

pub(super) struct Table {
    pub(super) alignments: Vec<Alignment>,
    pub(super) rows: Vec<Vec<Flow>>,
}

pub(super) fn set_table(table: Table, look: Look, room: usize) -> Vec<String> {
    let Table { alignments, rows } = table;
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    if count == 0 {
        return Vec::new();
    }
    // As wide as their widest cell, and where that is too much, the widest give way first.
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|row| row.into_iter().map(|cell| cell.set(usize::MAX).join(" ")).collect()).collect();
    let gap = if look.plain { " | " } else { "  " };
    let mut widths: Vec<usize> = (0..count)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0))
        .collect();
    let most = room.saturating_sub(width(gap) * (count - 1));
    while widths.iter().sum::<usize>() > most {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > 6) else { break };
        *widest -= 1;
    }
    let mut lines = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<Vec<String>> =
            row.iter().zip(&widths).map(|(cell, width)| crate::text::wrapped(cell, (*width).max(6))).collect();
        for at in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let mut line = String::new();
            for (column, (cell, columns)) in cells.iter().zip(&widths).enumerate() {
                if column > 0 {
                    line.push_str(gap);
                }
                let align = match alignments.get(column) {
                    Some(Alignment::Right) => console::Alignment::Right,
                    Some(Alignment::Center) => console::Alignment::Center,
                    _ => console::Alignment::Left,
                };
                let text = cell.get(at).map_or("", |text| text.trim());
                line.push_str(&console::pad_str(text, *columns, align, None));
            }
            lines.push(line.trim_end().to_owned());
        }
        if number == 0 && !look.plain {
            let line: Vec<String> = widths.iter().map(|columns| "─".repeat(*columns)).collect();
            lines.push(look.dim().apply_to(line.join(gap)).to_string());
        }
    }
    lines
}
