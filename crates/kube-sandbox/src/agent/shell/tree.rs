//! A shell script as a tree.

use std::rc::Rc;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text { text: String, quoted: bool },
    Variable { name: String, form: Form, quoted: bool },
    Output { script: Rc<Script>, quoted: bool },
    Number { text: Vec<Part> },
}

/// `$name`, or what stands in braces after a name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Plain,
    Length,
    /// `:-`, `:=`, `:+`, `:?`, and the same without the colon; then the word.
    Else {
        mark: char,
        also_empty: bool,
        word: Word,
    },
    /// `#`, `##`, `%`, `%%` and a pattern.
    Cut {
        mark: char,
        longest: bool,
        word: Word,
    },
}

pub(super) type Word = Vec<Part>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Redirect {
    pub(super) from: u8,
    pub(super) to: Target,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    File { path: Word, append: bool },
    Read(Word),
    Same(u8),
    Text(Word),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Simple {
        set: Vec<(String, Word)>,
        words: Vec<Word>,
    },
    If {
        arms: Vec<(Rc<Script>, Rc<Script>)>,
        or: Option<Rc<Script>>,
    },
    Loop {
        test: Rc<Script>,
        until: bool,
        body: Rc<Script>,
    },
    For {
        name: String,
        words: Vec<Word>,
        body: Rc<Script>,
    },
    Case {
        word: Word,
        arms: Vec<(Vec<Word>, Rc<Script>)>,
    },
    Group(Rc<Script>),
    Shell(Rc<Script>),
    Function {
        name: String,
        body: Rc<Script>,
    },
    /// What stands in `[[ ]]`, where words are not split.
    Test(Vec<Word>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) command: Command,
    pub(super) redirects: Vec<Redirect>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipe {
    pub(super) not: bool,
    pub(super) commands: Vec<Placed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Always,
    IfGood,
    IfBad,
}

/// Commands one after the other; the third says that it is left to run in the background.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Script(pub(super) Vec<(Join, Pipe, bool)>);
