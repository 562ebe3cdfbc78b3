use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::error::CliError;
use crate::author::{Template, new_lab};
use crate::outcome::Exit;
use crate::text::is_lower_case;

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// The lab's folder; its last part is the lab's id
    #[arg(value_name = "NAME")]
    path: PathBuf,
    /// The template
    #[arg(long, value_name = "KIND", default_value = "tutorial")]
    template: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Commands to follow, and checks of what they do
    Tutorial,
    /// Tasks with hints and solutions, worth points
    Challenge,
    /// An etcd of the lab's own, without Kubernetes
    Bare,
}

pub(super) fn main(args: &NewArgs) -> Result<Exit, CliError> {
    let id = args.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_plain = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && is_lower_case(&id, &['-'])
        // The templates make a namespace of this name.
        && id.len() <= 50;
    if !is_plain {
        return Err(CliError::wrong_call(
            format!("`{id}` cannot be a lab's name"),
            "write at most 50 lower-case letters, digits and `-`, beginning with a letter: keywitness new my-first-lab",
        ));
    }
    let file = args.path.join("README.md");
    let failed = |source: std::io::Error| CliError::Output { what: file.display().to_string(), source };
    fs::create_dir_all(&args.path).map_err(failed)?;
    // Never over what somebody wrote.
    let mut created = match fs::File::create_new(&file) {
        Ok(created) => created,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(CliError::wrong_call(format!("{} exists already", file.display()), "take another name"));
        }
        Err(error) => return Err(failed(error)),
    };
    let template = match args.template {
        Kind::Tutorial => Template::Tutorial,
        Kind::Challenge => Template::Challenge,
        Kind::Bare => Template::Bare,
    };
    created.write_all(new_lab(template, &id).as_bytes()).map_err(failed)?;
    let path = args.path.display();
    let shown = format!(
        "made {}\n\nNext:\n  keywitness test {path}    run it, and prove each check\n  keywitness lint {path}    find mistakes without running it\n  keywitness learn {path}   do it yourself",
        file.display()
    );
    writeln!(std::io::stdout().lock(), "{shown}")
        .map_err(|source| CliError::Output { what: "standard output".to_owned(), source })?;
    Ok(Exit::Passed)
}
