//! `bash`, `sh` and `console` fences.

use super::context::Context;
use super::fields::Fields;
use super::findings::{ATTRIBUTE_VALUE, CONSOLE, EMPTY_ACTION, MISPLACED_ATTRIBUTE, OPEN_QUOTE, PROMPT, TYPOGRAPHIC};
use super::markdown::Fence;
use super::output::{line, line_ranges};
use super::quotes;
use super::words::{self, Wrong};
use crate::lab::keywords::FenceKind;
use crate::lab::{
    Action, Background, Code, CodeLine, ConsoleCommand, Ending, Expected, PartId, Place, Ready, Role, Stop, Template,
};
use crate::text::{Joined, Span, Spanned};

pub(super) fn action(
    fence: &Fence,
    kind: FenceKind,
    fields: &Fields,
    in_solution: bool,
    cx: &mut Context<'_>,
) -> Action {
    combinations(fields, cx);
    let role = match (fields.has("setup"), fields.has("cleanup")) {
        (true, _) => Role::Setup,
        (_, true) => Role::Cleanup,
        _ if in_solution => Role::Solution,
        _ => Role::Action,
    };
    let code = if kind == FenceKind::Console { console(&fence.content, cx) } else { script(&fence.content, cx) };
    let empty = match &code {
        Code::Script(lines) => {
            lines.iter().all(|line| line.text.trim().is_empty() || line.text.trim_start().starts_with('#'))
        }
        Code::Console(commands) => commands.is_empty(),
    };
    if !fields.has("norun") {
        slips(fence, &code, cx);
    }
    let stop = stop(fields, cx);
    let start = fields.id("start", cx);
    if empty && !fields.has("stop") && !fields.has("start") {
        let in_container = fence.content.is_empty() && !fence.closed;
        let hint = if in_container {
            "its lines must be indented as far as the fence is"
        } else {
            "remove it, or write the commands"
        };
        cx.findings.add(EMPTY_ACTION, fields.span, "this block has no commands").hint(hint);
    }
    let ending = match fields.read("exit", cx, exit_status) {
        Some(status) => Ending::Exit(status.value),
        None if fields.has("fails") => Ending::Fails,
        None => Ending::Success,
    };
    Action {
        id: PartId::default(),
        name: fields.id("name", cx),
        span: fence.span,
        role,
        terminal: fields.read("terminal", cx, words::terminal).map_or_else(|| "1".to_owned(), |t| t.value),
        place: place(fields, cx),
        code,
        opens: fields.has("opens"),
        background: background(fields, cx),
        stop,
        start,
        ending,
        timeout: fields.duration("timeout", cx),
        on: fields.on(cx),
        norun: fields.has("norun"),
        expected: None,
    }
}

/// What a shell would stumble over: quotes that never end, and prompts.
fn slips(fence: &Fence, code: &Code, cx: &mut Context<'_>) {
    let lines: Vec<&CodeLine> = code.lines().collect();
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let place = |line: usize, range: std::ops::Range<usize>, cx: &Context<'_>| {
        cx.source.place_in_line(lines[line].number, &lines[line].text, range)
    };
    match quotes::open(&texts) {
        Some((line, range, quotes::Open::Quote(quote))) => {
            let span = place(line, range, cx);
            cx.findings
                .add(OPEN_QUOTE, span, format!("this {quote} is not closed in its block"))
                .hint(format!("add the closing {quote}, or write \\{quote} for the character itself"));
        }
        Some((line, range, quotes::Open::Heredoc(end))) => {
            let span = place(line, range, cx);
            cx.findings
                .add(OPEN_QUOTE, span, format!("this heredoc has no line `{end}` of its own in the block"))
                .hint(format!("end it with a line that is `{end}` and nothing else, without blanks before it"));
        }
        None => {}
    }
    for (line, range) in quotes::typographic(&texts) {
        let (found, after) = texts[line][range.start..].split_at(range.len());
        let typed = found.chars().next().and_then(|c| quotes::typed(c, after));
        let message = match typed {
            Some(" ") => format!(
                "the shell does not split words at this blank, U+{:04X}",
                found.chars().next().map_or(0, u32::from)
            ),
            _ => format!("`{found}` is text to the shell"),
        };
        let hint = match typed {
            Some(" ") | None => "write a plain blank".to_owned(),
            Some(typed) => format!("write `{typed}`"),
        };
        let span = place(line, range, cx);
        let known = cx.source.slice(span) == found;
        cx.findings.add(TYPOGRAPHIC, span, message).fix_if(known, span, typed.unwrap_or(" ")).hint(hint);
    }
    if matches!(code, Code::Script(_))
        && let Some(line) = texts.iter().position(|text| !text.trim().is_empty() && !text.starts_with('#'))
        && texts[line].starts_with("$ ")
    {
        let (span, prompt) = (place(line, 0..1, cx), place(line, 0..2, cx));
        let known = cx.source.slice(prompt) == "$ ";
        let language = cx.source.slice(fence.info).trim().split([' ', '{']).next().unwrap_or("bash").to_owned();
        cx.findings
            .add(PROMPT, span, "the shell takes this prompt for a command")
            .fix_if(known, prompt, "")
            .hint(format!("remove `$ `, or write ```console in place of ```{language}"));
    }
}

/// Which attributes do not stand beside which.
const APART: &[(&str, &[&str])] = &[
    (
        "norun",
        &[
            "terminal",
            "opens",
            "background",
            "ready",
            "stop",
            "start",
            "exit",
            "fails",
            "timeout",
            "in",
            "setup",
            "cleanup",
        ],
    ),
    ("setup", &["cleanup", "fails"]),
    ("cleanup", &["background", "ready", "opens", "start", "fails"]),
    ("background", &["exit", "fails", "opens"]),
    ("fails", &["exit", "opens"]),
    ("exit", &["opens"]),
];

fn combinations(fields: &Fields, cx: &mut Context<'_>) {
    for (one, others) in APART {
        if !fields.has(one) {
            continue;
        }
        for other in fields.names().filter(|name| others.contains(&name.value.as_str())) {
            let message = format!("`{}` cannot be combined with `{one}`", other.value);
            cx.findings
                .add(MISPLACED_ATTRIBUTE, other.span, message)
                .hint(format!("remove one of the two: {}", why(one)));
        }
    }
    let background = fields.get("background");
    match (background, fields.get("ready")) {
        (Some(attr), None) => cx
            .findings
            .add(MISPLACED_ATTRIBUTE, attr.name.span, "a `background` block must say when it is ready")
            .hint("add `ready=\"TEXT\"`, `ready=watch`, `ready=port:N` or `ready=none`"),
        (None, Some(attr)) => cx
            .findings
            .add(MISPLACED_ATTRIBUTE, attr.name.span, "`ready` belongs to a `background` block")
            .hint("add `background`, or remove `ready`"),
        _ => {}
    }
}

fn why(one: &str) -> &'static str {
    match one {
        "norun" => "a block that does not run has no place, end or time",
        "cleanup" => "clean-up runs at the end, in fresh shells, and must succeed",
        "background" => "the lab does not wait for a background block to end",
        "setup" => "set-up must succeed, at the beginning",
        _ => "they say different things about the block's end",
    }
}

fn exit_status(text: &str) -> Result<i32, Wrong> {
    let status = words::whole::<i32>(text, "exit status")
        .map_err(|wrong| Wrong { hint: Some("write a number, or `fails` for any status but 0".to_owned()), ..wrong })?;
    if (0..=255).contains(&status) {
        return Ok(status);
    }
    Err(Wrong {
        message: format!("`{text}` is not an exit status"),
        hint: Some("write a number from 0 to 255".to_owned()),
    })
}

fn place(fields: &Fields, cx: &mut Context<'_>) -> Place {
    let place = fields.read("in", cx, |text| match text {
        "node" => Ok(Place::Node),
        other => Err(Wrong {
            message: format!("`{other}` is not a place"),
            hint: Some(match words::cluster(other) {
                Ok(_) => format!("write `on={other}` for what runs on such a cluster only"),
                Err(_) => "`in=node` is the control-plane node; without it a block runs here".to_owned(),
            }),
        }),
    });
    place.map_or(Place::Host, |place| place.value)
}

fn background(fields: &Fields, cx: &mut Context<'_>) -> Option<Background> {
    if !fields.has("background") {
        return None;
    }
    // Where `ready` is missing or wrong, a finding says so, and the block is a background block all the same.
    let nothing = Some(Background { ready: Ready::None });
    let Some(value) = fields.value("ready") else { return nothing };
    if value.quoted {
        if value.text.trim().is_empty() {
            cx.findings
                .add(ATTRIBUTE_VALUE, value.span, "any output would hold an empty text")
                .hint("write a text that the command prints when it is ready, or `ready=none`");
        }
        return fields.template("ready", cx).map(|text| Background { ready: Ready::Text(text) });
    }
    let ready = match value.text.as_str() {
        "watch" => Ready::Watch,
        "none" => Ready::None,
        text if text.starts_with("port:") => match port(fields, cx) {
            Some(port) => Ready::Port(port),
            None => return nothing,
        },
        text => {
            let message = format!("`{text}` is not a keyword of `ready`");
            cx.findings.add(ATTRIBUTE_VALUE, value.span, message).hint(format!(
                "write a text in quotes: ready=\"{text}\"; the keywords are `watch`, `port:N` and `none`"
            ));
            return nothing;
        }
    };
    Some(Background { ready })
}

/// A number, or a variable that holds one; braces need quotes in an attribute, `$NAME` does not.
fn port(fields: &Fields, cx: &mut Context<'_>) -> Option<Template> {
    let value = fields.value("ready")?.clone();
    let at = value.span.start + "port:".len();
    let text = value.text.strip_prefix("port:")?;
    let span = Span::new(at, value.span.end);
    if let Some(name) =
        text.strip_prefix('$').filter(|name| !name.is_empty() && crate::text::name_length(name) == name.len())
    {
        let name = Spanned::new(name.to_owned(), span);
        cx.used.push(name.clone());
        return Some(Template { parts: vec![crate::lab::TemplatePart::Var(name)], span });
    }
    if text.parse::<u16>().is_ok_and(|port| port > 0) {
        return Some(Template::text(text, span));
    }
    cx.findings
        .add(ATTRIBUTE_VALUE, span, format!("`{text}` is not a port"))
        .hint("write a number, or a variable: `ready=port:$PORT`");
    None
}

fn stop(fields: &Fields, cx: &mut Context<'_>) -> Option<Stop> {
    let kill = fields.value("stop").is_some_and(|value| value.text.ends_with(":KILL"));
    let block = fields.read("stop", cx, |text| {
        let (name, signal) = text.split_once(':').unwrap_or((text, "KILL"));
        if signal != "KILL" {
            let message = format!("`{signal}` is not a way to stop a block");
            return Err(Wrong { message, hint: Some("write `stop=NAME` for Ctrl-C, or `stop=NAME:KILL`".to_owned()) });
        }
        words::id(name)
    })?;
    Some(Stop { block, kill })
}

fn script(content: &Joined, cx: &mut Context<'_>) -> Code {
    Code::Script(line_ranges(content).map(|range| code_line(content, range, cx)).collect())
}

fn code_line(content: &Joined, range: std::ops::Range<usize>, cx: &Context<'_>) -> CodeLine {
    CodeLine { number: cx.source.row(content.offset(range.start)), text: content.text()[range].to_owned() }
}

fn console(content: &Joined, cx: &mut Context<'_>) -> Code {
    let mut commands: Vec<ConsoleCommand> = Vec::new();
    for range in line_ranges(content) {
        let text = &content.text()[range.clone()];
        let span = content.span(range.clone());
        let command = text.strip_prefix("$ ");
        let more = text.strip_prefix("> ").or((text == ">").then_some(""));
        match (command, more, commands.last_mut()) {
            (Some(_), _, _) => {
                let lines = vec![code_line(content, range.start + 2..range.end, cx)];
                commands.push(ConsoleCommand { lines, expected: None });
            }
            (None, Some(rest), Some(last)) if last.expected.is_none() => {
                last.lines.push(code_line(content, range.end - rest.len()..range.end, cx));
            }
            (None, _, Some(last)) => {
                let line = line(content, range, cx);
                let expected =
                    last.expected.get_or_insert_with(|| Expected { span, unordered: false, lines: Vec::new() });
                expected.span.end = span.end;
                expected.lines.push(line);
            }
            (None, _, None) if text.trim().is_empty() => {}
            (None, _, None) => {
                cx.findings
                    .add(CONSOLE, span, "this line is before the first command")
                    .hint("a command begins with `$ `; its output is on the lines below");
            }
        }
    }
    Code::Console(commands)
}
