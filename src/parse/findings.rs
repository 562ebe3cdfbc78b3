use crate::text::{Code, Diagnostic, Severity, Span};

/// A kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub code: Code,
    pub severity: Severity,
    /// In one line, for the reference.
    pub meaning: &'static str,
}

impl Rule {
    pub fn finding(self, span: Span, message: String, hint: Option<String>) -> Diagnostic {
        Diagnostic { code: self.code, severity: self.severity, span, message, hint }
    }
}

macro_rules! rules {
    ($($name:ident $code:literal $severity:ident $meaning:literal;)*) => {
        $(pub const $name: Rule =
            Rule { code: Code($code), severity: Severity::$severity, meaning: $meaning };)*
        /// Every kind of finding, in the order of the codes.
        pub const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    FRONT_MATTER "KW001" Error "the front matter is missing its end, or is no YAML";
    UNKNOWN_KEY "KW002" Error "the front matter has a key that means nothing";
    BAD_VALUE "KW003" Error "a value of the front matter has the wrong form";
    UNQUOTED "KW004" Error "YAML reads this text as a number, a truth value or nothing: it needs quotes";
    NO_TITLE "KW005" Error "the lab has neither a `title` nor a `#` heading";
    BYTE_ORDER_MARK "KW006" Warning "the file begins with a byte order mark";
    TOO_MUCH "KW007" Error "the file is larger, or nested deeper, than a lab may be";
    NOT_UTF8 "KW008" Error "the file is not UTF-8";
    IN_HTML "KW010" Error "a fence inside raw HTML is no fence";
    NO_FENCE "KW011" Error "a line looks like a fence and opens none";
    UNCLOSED "KW012" Error "a fence has no closing line of its own";
    FENCE_IN_FENCE "KW013" Error "a lab fence opens inside another fence";
    EMPTY_ACTION "KW014" Error "an action has no commands";
    UNDERLINED "KW015" Error "a step's heading is underlined, or lies where it starts no step";
    SAME_STEP "KW016" Error "two steps have one id";
    NEAR_LANGUAGE "KW017" Error "a language is nearly one that the runner knows";
    SHOWN_ATTRIBUTES "KW018" Error "attributes stand on a fence that is only shown";
    DETAILS "KW019" Error "a fold has no summary, no end, or a summary that is nearly Hint or Solution";
    ATTRIBUTE_SYNTAX "KW020" Error "attributes are not written as `{name=value}`";
    UNKNOWN_ATTRIBUTE "KW021" Error "an attribute means nothing";
    DOUBLED_ATTRIBUTE "KW022" Error "an attribute stands twice";
    MISPLACED_ATTRIBUTE "KW023" Error "an attribute does not belong on this fence, or beside another one";
    ATTRIBUTE_VALUE "KW024" Error "an attribute's value has the wrong form";
    UNKNOWN_COMMENT "KW025" Error "a `lab:` comment means nothing, or stands in the wrong place";
    SAME_NAME "KW026" Error "two blocks have one name";
    NO_SUCH_BLOCK "KW027" Error "a block is named that does not exist";
    BUSY_TERMINAL "KW028" Error "a block uses the terminal in which a background block still runs";
    OUTSIDE "KW029" Error "a key lies outside /registry, where no cluster keeps anything";
    UNKNOWN_CHECK "KW030" Error "a check begins with a word that names no check";
    CHECK_SYNTAX "KW031" Error "a check line is not written as its kind demands";
    CHECK_NUMBER "KW032" Error "a duration or a number of a check has the wrong form";
    EXPRESSION "KW033" Error "an expression is not CEL";
    UNKNOWN_NAME "KW034" Error "an expression uses a name that is not known there";
    UNKNOWN_FUNCTION "KW035" Error "an expression calls a function that CEL does not have";
    BAD_REGEX "KW036" Error "a regular expression does not compile";
    STAR_IN_KEY "KW037" Error "`key` takes one key, and this one has a star";
    UNKNOWN_FOLDER "KW038" Error "no resource is stored under this folder of /registry, or not so deep in it";
    EMPTY_CHECK "KW039" Error "a `check` or `wait` fence has no checks";
    UNDECLARED "KW040" Error "a variable is used and never declared";
    HALF_WRITTEN "KW041" Error "a variable is not written as `${NAME}`";
    UNUSED "KW042" Warning "a variable is declared and never used";
    VARIABLE_NAME "KW043" Error "a variable's name is no name, or is reserved";
    VARS_FENCE "KW044" Error "a line of the `vars` fence is no `export NAME=value`";
    VARIABLE_DEFAULT "KW045" Error "a variable has no default, two of them, or one that its pattern refuses";
    NEARLY "KW046" Warning "a command uses a name that nothing sets and that is nearly a variable's";
    UNKNOWN_FIELD "KW047" Error "an expression asks for a field that the value does not have";
    WRONG_TYPE "KW048" Error "an expression compares, adds or hands over a value of the wrong type or form";
    UNLIKELY_TEXT "KW049" Warning "a field is compared with a text that it hardly ever has";
    QUESTION "KW050" Error "a question has no text, no right answer or too few choices";
    NO_OUTPUT_OWNER "KW051" Error "an `output` fence belongs to no action, or to one that has another";
    CONSOLE "KW052" Error "a `console` fence does not begin with a `$ ` line";
    OPEN_QUOTE "KW053" Error "a command's quote or heredoc is not closed in its block";
    PROMPT "KW054" Error "a command begins with a prompt, which the shell takes for a command";
    NOTHING_TO_DO "KW060" Error "a step gives points and has nothing to do";
    UNREACHED "KW061" Error "a block that never runs: before the first `##`, or for clusters that the lab does not name";
    HIDDEN_BLOCK "KW062" Error "a fence in a hint or a solution that must not be hidden";
    PROVES_NOTHING "KW063" Error "`pre=pass` needs a check beside it that is proved";
    SECOND_TITLE "KW064" Warning "a level-1 heading stands where a step was probably meant";
    HIDDEN_PLACE "KW070" Warning "the text before does not say that a block runs on the node";
    HIDDEN_TERMINAL "KW071" Warning "the text before does not say which terminal a block is for";
    HIDDEN_FAILURE "KW072" Warning "the text before does not say that a block is meant to fail";
    SLEEP "KW073" Warning "`sleep` guesses a time";
    ENDLESS "KW074" Warning "a command that watches for ever is not `background`";
    PLACEHOLDER "KW075" Warning "a `<placeholder>` is left over in a command";
    ENDS_SHELL "KW076" Warning "a command ends or changes the terminal's shell for all later blocks";
    REPEATED_FLAG "KW077" Warning "a flag repeats what the runner already gives";
    UNPINNED "KW078" Warning "a block points KUBECONFIG away from the lab's cluster";
    NO_SUCH_LAB "KW080" Error "`needs` names a lab that is not in this collection";
    SAME_LAB "KW081" Error "two labs of a collection have one id";
    CIRCLE "KW082" Error "labs need each other in a circle";
    FILE_NAME "KW083" Warning "the file of a folder's lab is not called README.md";
}

/// Gathers what is found; nothing stops at the first.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Diagnostic>,
    /// A name or a value could not be read, so that one that seems not to exist may well do: what follows from a finding
    /// is no finding of its own.
    pub(super) unread: bool,
}

impl Findings {
    pub(super) fn add(&mut self, rule: Rule, span: Span, message: impl Into<String>) -> Added<'_> {
        let finding = rule.finding(span, message.into(), None);
        let at = self.list.len();
        self.list.push(finding);
        Added(&mut self.list[at])
    }

    /// Takes back what only follows from another finding.
    pub(super) fn take_back(&mut self, rule: Rule, after: usize) {
        self.list.retain(|finding| finding.code != rule.code || finding.span.start < after);
    }

    /// Whether something was found in this place.
    pub(super) fn any_in(&self, span: Span) -> bool {
        self.list.iter().any(|finding| span.start <= finding.span.start && finding.span.start < span.end)
    }

    /// In file order, each once.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|finding| (finding.span.start, finding.span.end, finding.code));
        self.list.dedup();
        self.list
    }
}

/// A finding that still takes a hint.
pub(super) struct Added<'a>(&'a mut Diagnostic);

impl Added<'_> {
    pub(super) fn hint(self, hint: impl Into<String>) {
        self.0.hint = Some(hint.into());
    }

    pub(super) fn maybe_hint(self, hint: Option<String>) {
        self.0.hint = hint;
    }
}
