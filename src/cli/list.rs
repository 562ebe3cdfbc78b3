use std::io::Write as _;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::args::{Format, LabArgs};
use super::error::CliError;
use super::here;
use super::labs::NoLab;
use super::lint::{self, Linted};
use crate::lab::{ClusterKind, Item, Lab};
use crate::learn::Progress;
use crate::outcome::Exit;
use crate::session::lessons;
use owned_processes::state_folder;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) labs: LabArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(super) format: Format,
}

pub(super) fn main(args: &ListArgs) -> Result<Exit, CliError> {
    let (labs, others) = lint::read(&args.labs)?;
    let begun = lessons(&state_folder());
    let text = match args.format {
        Format::Human => {
            lint::name_others(&others);
            human(&labs, &begun)
        }
        Format::Json => json(&labs, &others, &begun),
    };
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "{text}").map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    let (errors, _) = lint::count(&labs);
    Ok(if errors > 0 { Exit::WrongInput } else { Exit::Passed })
}

/// A line a lab. On a terminal the titles, which stand last, are cut to what fits.
fn human(labs: &[Linted], begun: &[Progress]) -> String {
    let columns = console::Term::stdout().size_checked().map_or(usize::MAX, |(_, columns)| usize::from(columns));
    let rows: Vec<[String; 6]> = labs.iter().map(|lab| row(lab, begun)).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(console::measure_text_width(cell));
        }
    }
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - console::measure_text_width(cell))))
            .collect();
        // A column in which nothing stands takes no room.
        let cells: Vec<String> =
            cells.into_iter().zip(widths).filter(|(_, width)| *width > 0).map(|(cell, _)| cell).collect();
        let line = cells.join("  ");
        out.push_str(console::truncate_str(line.trim_end(), columns, "…").trim_end());
        out.push('\n');
    }
    out
}

fn row(lab: &Linted, begun: &[Progress]) -> [String; 6] {
    let Some(parsed) = &lab.parsed.lab else {
        let name = lab.file.source.name().to_owned();
        return [
            name,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            "has errors: keywitness lint shows them".to_owned(),
        ];
    };
    let minutes = parsed.minutes.map(|minutes| format!("{minutes} min")).unwrap_or_default();
    let level = parsed.level.map(|level| level.name().to_owned()).unwrap_or_default();
    let progress = here::of(begun, parsed.source.path()).map(here::words).unwrap_or_default();
    [parsed.id.clone(), level, minutes, clusters(parsed).join(","), progress, parsed.title.clone()]
}

fn clusters(lab: &Lab) -> Vec<&'static str> {
    lab.clusters.iter().map(|kind| ClusterKind::name(kind.value)).collect()
}

fn json(labs: &[Linted], others: &[NoLab], begun: &[Progress]) -> String {
    let entries: Vec<serde_json::Value> = labs
        .iter()
        .map(|lab| match &lab.parsed.lab {
            None => json!({ "file": lab.file.source.name(), "valid": false }),
            Some(parsed) => json!({
                "id": parsed.id,
                "file": lab.file.source.name(),
                "valid": true,
                "title": parsed.title,
                "summary": parsed.summary,
                "level": parsed.level.map(crate::lab::Level::name),
                "minutes": parsed.minutes,
                "needs": parsed.needs.iter().map(|need| need.value.as_str()).collect::<Vec<_>>(),
                "clusters": clusters(parsed),
                "steps": parsed.steps.len(),
                "checks": checks(parsed),
                "progress": here::of(begun, parsed.source.path()).map(progress),
            }),
        })
        .collect();
    let others: Vec<serde_json::Value> = others
        .iter()
        .map(|other| json!({ "file": other.path.display().to_string(), "reason": other.reason }))
        .collect();
    let all = json!({ "schema": 1, "labs": entries, "others": others });
    let text = serde_json::to_string_pretty(&all).unwrap_or_default();
    format!("{text}\n")
}

fn progress(progress: &Progress) -> serde_json::Value {
    json!({
        "step": progress.open + 1,
        "finished": progress.finished,
        "points": progress.points,
        "max_points": progress.max_points,
        "updated": progress.updated,
    })
}

/// As it is short to type from here; a lab's own page is named by its folder.
pub(super) fn short_path(file: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = file.strip_prefix(&here).unwrap_or(file);
    let is_page = path.file_name().is_some_and(|name| name == "README.md");
    let path = path.parent().filter(|parent| is_page && !parent.as_os_str().is_empty()).unwrap_or(path);
    shell_words::quote(&path.display().to_string()).into_owned()
}

pub(super) fn checks(lab: &Lab) -> usize {
    let items = lab.steps.iter().flat_map(|step| &step.items);
    items.map(|item| if let Item::Check(block) = item { block.checks.len() } else { 0 }).sum()
}
