//! A terminal's screen as SVG, and the text that such an SVG shows.

use std::fmt::Write as _;

use super::record::Row;

const CHARACTER: f64 = 8.4;
const LINE: usize = 19;
const MARGIN: f64 = 16.0;
const TOP: usize = 50;
/// A run is shown at this share of its speed, so that a reader can follow.
const SLOWER: f64 = 4.0;

const COLOURS: [&str; 16] = [
    "#5c6370", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#dcdfe4", "#7f848e", "#e06c75",
    "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#ffffff",
];

pub(super) fn svg(title: &str, rows: &[Row], columns: u16, moves: bool) -> String {
    let width = f64::from(columns) * CHARACTER + 2.0 * MARGIN;
    let height = (rows.len() + 1) * LINE + TOP + 8;
    let title = escaped(title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height}\" viewBox=\"0 0 {width:.0} {height}\" role=\"img\">\n\
         <title>{title}</title>\n"
    );
    if moves {
        out.push_str(
            "<style>.r{animation:r .01s both}@keyframes r{from{opacity:0}to{opacity:1}}\
             @media(prefers-reduced-motion:reduce){.r{animation:none}}</style>\n",
        );
    }
    out.push_str(
        "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#21252b\"/>\n\
         <g fill=\"#4b5263\"><circle cx=\"20\" cy=\"18\" r=\"6\"/><circle cx=\"40\" cy=\"18\" r=\"6\"/><circle cx=\"60\" cy=\"18\" r=\"6\"/></g>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n",
    );
    let _ = writeln!(
        out,
        "<g><text x=\"{MARGIN}\" y=\"{TOP}\" fill=\"#98c379\">$ </text><text x=\"{:.1}\" y=\"{TOP}\" font-weight=\"bold\" fill=\"#dcdfe4\">{title}</text></g>",
        MARGIN + 2.0 * CHARACTER
    );
    for (number, row) in rows.iter().enumerate() {
        let y = (number + 1) * LINE + TOP;
        let when = if moves {
            format!(" class=\"r\" style=\"animation-delay:{:.2}s\"", row.at.as_secs_f64() * SLOWER)
        } else {
            String::new()
        };
        let _ = write!(out, "<g{when}>");
        for run in &row.runs {
            let x = MARGIN + f64::from(run.column) * CHARACTER;
            let length = run.text.chars().count() as f64 * CHARACTER;
            let colour = run.colour.map_or("#dcdfe4", |index| COLOURS[usize::from(index) % COLOURS.len()]);
            let weight = if run.bold { " font-weight=\"bold\"" } else { "" };
            let opacity = if run.dim { " opacity=\"0.65\"" } else { "" };
            let _ = write!(
                out,
                "<text x=\"{x:.1}\" y=\"{y}\" textLength=\"{length:.1}\" fill=\"{colour}\"{weight}{opacity}>{}</text>",
                escaped(&run.text)
            );
        }
        out.push_str("</g>\n");
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// Blanks that no renderer folds.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "\u{a0}")
}

/// The rows as a person reads them.
pub(super) fn text_of(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        for run in &row.runs {
            push_words(&mut text, &run.text);
        }
        text.push('\n');
    }
    text
}

/// The same of a picture drawn before, its first line the command.
pub(super) fn text_in_svg(svg: &str) -> String {
    let mut text = String::new();
    for row in svg.lines().filter(|line| line.starts_with("<g>") || line.starts_with("<g class=")) {
        for piece in row.split("<text ").skip(1) {
            let shown = piece.split_once('>').map_or("", |(_, rest)| rest.split("</text>").next().unwrap_or(""));
            push_words(
                &mut text,
                &shown.replace('\u{a0}', " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"),
            );
        }
        text.push('\n');
    }
    text
}

fn push_words(text: &mut String, words: &str) {
    text.push_str(words);
    if !words.ends_with(' ') {
        text.push(' ');
    }
}
