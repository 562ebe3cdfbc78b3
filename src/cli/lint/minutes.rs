//! How long a lab says that it takes, against runs of it.

use std::path::Path;
use std::time::Duration;

use super::Linted;
use crate::author::SavedRun;
use crate::cli::error::CliError;
use crate::outcome::Verdict;
use crate::parse::MINUTES;
use crate::text::Span;

/// Adds a finding to each lab whose longest good run in this folder took longer than it says.
pub(super) fn look(labs: &mut [Linted], runs: &Path) -> Result<(), CliError> {
    let folders = SavedRun::folders(runs).map_err(crate::cli::replay::wrong)?;
    let heads: Vec<_> = folders.iter().filter_map(|folder| SavedRun::head(folder)).collect();
    for linted in labs {
        let Some((lab, minutes)) = linted.parsed.lab.as_ref().and_then(|lab| Some((lab, lab.minutes?))) else {
            continue;
        };
        let own = std::path::absolute(lab.source.path()).unwrap_or_else(|_| lab.source.path().to_owned());
        let of_lab = heads.iter().filter(|head| Path::new(&head.lab.path) == own && head.verdict == Verdict::Pass);
        let Some(longest) = of_lab.map(|head| Duration::from_millis(head.duration_ms)).max() else { continue };
        if longest <= Duration::from_secs(60 * u64::from(minutes)) {
            continue;
        }
        let text = lab.source.text();
        let at = text.find("\nminutes:").map_or(0, |at| at + 1);
        let span = Span::new(at, at + text[at..].find(['\n', '\r']).unwrap_or(0));
        let seconds = longest.as_secs();
        let message = format!("`minutes: {minutes}`, and a saved run took {} min {} s", seconds / 60, seconds % 60);
        let hint = format!("a learner reads and types as well: say at least `minutes: {}`", seconds.div_ceil(60) + 1);
        let finding = MINUTES.finding(span, message, Some(hint));
        linted.parsed.findings.push(finding);
        linted.parsed.findings.sort_by_key(|finding| finding.span.start);
    }
    Ok(())
}
