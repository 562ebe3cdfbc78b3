use crate::text::{Code, Diagnostic, Edit, Severity, Span};

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
        Diagnostic { code: self.code, severity: self.severity, span, message, hint, fix: Vec::new() }
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
    FRONT_MATTER "KW001" Error "the front matter has no closing `---`, or is not valid YAML";
    UNKNOWN_KEY "KW002" Error "unknown key in the front matter";
    BAD_VALUE "KW003" Error "invalid value in the front matter";
    UNQUOTED "KW004" Error "text that YAML reads as a number, a boolean or null: it needs quotes";
    NO_TITLE "KW005" Error "the lab has neither a `title` nor a `#` heading";
    BYTE_ORDER_MARK "KW006" Warning "the file begins with a byte order mark";
    TOO_MUCH "KW007" Error "the file exceeds the limits on size or nesting";
    NOT_UTF8 "KW008" Error "the file is not UTF-8";
    IN_HTML "KW010" Error "a fence inside raw HTML is plain text";
    NO_FENCE "KW011" Error "a line looks like a fence but does not open one";
    UNCLOSED "KW012" Error "a fence is not closed";
    FENCE_IN_FENCE "KW013" Error "a lab fence opens inside another fence";
    EMPTY_ACTION "KW014" Error "an action has no commands";
    UNDERLINED "KW015" Error "a step's heading is underlined, or is where it cannot start a step";
    SAME_STEP "KW016" Error "two steps have the same id";
    NEAR_LANGUAGE "KW017" Error "a fence's language is nearly `bash`, `sh`, `console`, `check` or another that the runner reads";
    SHOWN_ATTRIBUTES "KW018" Error "attributes on a fence that does not run";
    DETAILS "KW019" Error "`<details>` without `<summary>` or end, or with a summary that is nearly Hint, Solution or Answer";
    ATTRIBUTE_SYNTAX "KW020" Error "attributes are not written as `{name=value}`";
    UNKNOWN_ATTRIBUTE "KW021" Error "unknown attribute";
    DOUBLED_ATTRIBUTE "KW022" Error "duplicate attribute";
    MISPLACED_ATTRIBUTE "KW023" Error "an attribute is not allowed on this fence, or not together with another";
    ATTRIBUTE_VALUE "KW024" Error "invalid attribute value";
    UNKNOWN_COMMENT "KW025" Error "unknown or misplaced `lab:` comment";
    SAME_NAME "KW026" Error "two blocks have the same name";
    NO_SUCH_BLOCK "KW027" Error "no block has this name";
    BUSY_TERMINAL "KW028" Error "a block uses the terminal in which a background block still runs";
    OUTSIDE "KW029" Error "a key is outside /registry, so no cluster has it";
    UNKNOWN_CHECK "KW030" Error "unknown kind of check";
    CHECK_SYNTAX "KW031" Error "syntax error in a check";
    CHECK_NUMBER "KW032" Error "invalid duration or number in a check";
    EXPRESSION "KW033" Error "syntax error in an expression";
    UNKNOWN_NAME "KW034" Error "unknown name in an expression";
    UNKNOWN_FUNCTION "KW035" Error "unknown function in an expression";
    BAD_REGEX "KW036" Error "invalid regular expression";
    STAR_IN_KEY "KW037" Error "`key` takes one key, and this one has a star";
    UNKNOWN_FOLDER "KW038" Error "unknown resource prefix under /registry, or too many segments after it";
    EMPTY_CHECK "KW039" Error "a `check` or `wait` fence has no checks";
    UNDECLARED "KW040" Error "undeclared variable";
    HALF_WRITTEN "KW041" Error "a variable is not written as `${NAME}`";
    UNUSED "KW042" Warning "unused variable";
    VARIABLE_NAME "KW043" Error "invalid or reserved variable name";
    VARS_FENCE "KW044" Error "a line of the `vars` fence is not `export NAME=value`";
    VARIABLE_DEFAULT "KW045" Error "a variable has no default, two defaults, or a default that does not match its pattern";
    NEARLY "KW046" Warning "a command uses an unset variable whose name is nearly that of a declared one";
    UNKNOWN_FIELD "KW047" Error "unknown field in an expression";
    WRONG_TYPE "KW048" Error "type error in an expression";
    UNLIKELY_TEXT "KW049" Warning "a field is compared with a value that it rarely has";
    QUESTION "KW050" Error "a question without text, without a right answer, or with fewer than two choices";
    NO_OUTPUT_OWNER "KW051" Error "an `output` fence without an action, or a second one for the same action";
    CONSOLE "KW052" Error "a `console` fence does not begin with a `$ ` line";
    OPEN_QUOTE "KW053" Error "unclosed quote or heredoc in a block";
    PROMPT "KW054" Error "a command begins with a prompt";
    TYPOGRAPHIC "KW055" Warning "a typographic quote, dash or blank in a command, which the shell reads as text";
    NO_BASH "KW056" Error "a block is not valid bash";
    WAITS_FOR_INPUT "KW057" Warning "a command waits for somebody to type";
    VARIES "KW058" Warning "expected output holds a time, an age, a uid or a hash, which differ in the next run";
    ANSWER "KW059" Error "an answer without its question, a second one, or one that does not fit the question";
    NOTHING_TO_DO "KW060" Error "a step has points but no action";
    UNREACHED "KW061" Error "a block that never runs: before the first `##`, or for clusters that the lab does not name";
    HIDDEN_BLOCK "KW062" Error "a fence that is not allowed in a hint, a solution or an answer";
    PROVES_NOTHING "KW063" Error "`pre=pass` without another check in the step that is proved";
    SECOND_TITLE "KW064" Warning "a level-1 heading where a step (`##`) was probably intended";
    TWO_SOLUTIONS "KW065" Warning "two solutions of one task, which both run when the lab is tested";
    HINT_TELLS "KW066" Warning "a hint is the solution, word for word";
    ALLOWS_NOTHING "KW067" Warning "`lab:allow` allows nothing";
    HIDDEN_PLACE "KW070" Warning "the text before does not say that a block runs on the node";
    HIDDEN_TERMINAL "KW071" Warning "the text before does not say which terminal a block is for";
    HIDDEN_FAILURE "KW072" Warning "the text before does not say that a block is meant to fail";
    SLEEP "KW073" Warning "`sleep` guesses a time";
    ENDLESS "KW074" Warning "a command that does not end is not `background`";
    PLACEHOLDER "KW075" Warning "a command has a `<placeholder>`";
    ENDS_SHELL "KW076" Warning "a command ends or replaces the terminal's shell for all later blocks";
    REPEATED_FLAG "KW077" Warning "a flag repeats what the runner already sets";
    UNPINNED "KW078" Warning "a block points KUBECONFIG away from the lab's cluster";
    OTHER_CONTEXT "KW079" Warning "a command changes the current context for all later blocks and checks";
    NO_SUCH_LAB "KW080" Error "`needs` names a lab that is not in this collection";
    SAME_LAB "KW081" Error "two labs of a collection have one id";
    CIRCLE "KW082" Error "circular `needs`";
    FILE_NAME "KW083" Warning "the file of a folder's lab is not called README.md";
    NO_SUCH_FILE "KW084" Warning "a link or picture leads to a file or heading that does not exist";
    UNTAGGED "KW085" Warning "an image without a tag can be another image in the next run";
    PRIVATE "KW086" Error "the private part of a lab has what it does not take, or a section that is none of the lab's steps";
    MINUTES "KW087" Warning "a saved run took longer than the lab's `minutes` say";
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

    /// Takes back the warnings of this code that begin in this place; whether there were any.
    pub(super) fn allow(&mut self, code: Code, within: Span) -> bool {
        let before = self.list.len();
        let is_meant = |finding: &Diagnostic| {
            finding.code == code && within.start <= finding.span.start && finding.span.start < within.end
        };
        self.list.retain(|finding| !is_meant(finding));
        self.list.len() < before
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
    /// The mechanical cure; a place that could not be told apart from its line has none.
    pub(super) fn fix_if(self, known: bool, span: Span, text: impl Into<String>) -> Self {
        if known { self.fix(span, text) } else { self }
    }

    pub(super) fn fix(self, span: Span, text: impl Into<String>) -> Self {
        self.0.fix.push(Edit { span, text: text.into() });
        self
    }

    pub(super) fn hint(self, hint: impl Into<String>) {
        self.0.hint = Some(hint.into());
    }

    pub(super) fn maybe_hint(self, hint: Option<String>) {
        self.0.hint = hint;
    }
}
