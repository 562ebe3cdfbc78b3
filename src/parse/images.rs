//! Images without a tag: what they are decides itself when they are pulled.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::shell::{Command, Word};

pub(super) const CURE: &str = "name a version, such as `:1.27`, or a digest";

static MANIFEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\s*(?:-\s+)?image:\s*["']?([^\s"'#]+)["']?\s*(?:#.*)?$"#).expect("a regular expression of ours")
});

pub(super) fn message(image: &str) -> String {
    format!("the image `{image}` names no version, so it is another one tomorrow")
}

/// The words of a command that name an image without a tag.
pub(super) fn untagged(command: &Command) -> Vec<&Word> {
    let args = command.args();
    let verb = args.iter().position(|arg| !arg.text.starts_with('-'));
    let named = |at: Option<usize>| at.and_then(|at| args.get(at + 1));
    let own = args.iter().position(|arg| arg.text == "--").map_or(args, |at| &args[..at]);
    let mut found: Vec<&Word> = match (command.name(), verb.map(|at| args[at].text.as_str())) {
        ("kubectl", Some("run" | "create" | "debug")) => {
            let after = own.windows(2).filter(|pair| pair[0].text == "--image").map(|pair| &pair[1]);
            own.iter().filter(|arg| arg.text.starts_with("--image=")).chain(after).collect()
        }
        ("kubectl", Some("set")) if named(verb).is_some_and(|arg| arg.text == "image") => {
            own.iter().filter(|arg| !arg.text.starts_with('-') && arg.text.contains('=')).collect()
        }
        ("docker" | "podman" | "nerdctl" | "crictl", Some("pull")) => named(verb).into_iter().collect(),
        _ => Vec::new(),
    };
    found.retain(|word| is_untagged(name(word)));
    found
}

/// The image in a word: after `--image=` or `container=`.
pub(super) fn name(word: &Word) -> &str {
    word.text.split_once('=').map_or(word.text.as_str(), |(_, image)| image)
}

/// The image of a manifest's line.
pub(super) fn untagged_line(line: &str) -> Option<Range<usize>> {
    let found = MANIFEST.captures(line)?.get(1)?;
    is_untagged(found.as_str()).then(|| found.range())
}

fn is_untagged(image: &str) -> bool {
    if image.is_empty() || image.starts_with('-') || image.contains(['$', '@', '{', '<', '*', '(']) {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::CodeLine;
    use crate::parse::shell::commands;

    #[test]
    fn an_image_without_a_tag_is_found_wherever_a_command_names_it() {
        let found = |script: &str| {
            let line = CodeLine { number: 1, text: script.to_owned() };
            let commands = commands(&[&line]);
            commands.iter().flat_map(untagged).map(|word| name(word).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("kubectl run web --image=nginx --port=80"), ["nginx"]);
        assert_eq!(found("kubectl create deployment web --image registry:5000/a/nginx"), ["registry:5000/a/nginx"]);
        assert_eq!(found("kubectl set image deployment/web nginx=nginx:latest b=c:1"), ["nginx:latest"]);
        assert_eq!(found("docker pull busybox"), ["busybox"]);
        for fine in [
            "kubectl run web --image=nginx:1.27",
            "kubectl run web --image=\"$IMAGE\"",
            "kubectl run web --image=nginx@sha256:00",
            "kubectl set env deployment/web A=b",
            "kubectl run web --image=a:1 -- --image=b",
        ] {
            assert!(found(fine).is_empty(), "{fine}");
        }
        assert_eq!(untagged_line("  - image: \"nginx\" # here"), Some(12..17));
        assert_eq!(untagged_line("image: nginx:1.27"), None);
        assert_eq!(untagged_line("imagePullPolicy: Always"), None);
    }
}
