//! The languages that a lab can be written in: what its folds are called, and by what words its text says what the
//! attributes of its blocks say, which GitHub does not show.

/// `lang` of the front matter; English where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    German,
    French,
    Spanish,
    Portuguese,
    Chinese,
    Japanese,
}

/// What a language says.
#[derive(Debug)]
pub struct Words {
    pub name: &'static str,
    pub hint: &'static [&'static str],
    pub solution: &'static [&'static str],
    pub answer: &'static [&'static str],
    /// That a block is for another terminal.
    pub terminal: &'static [&'static str],
    /// That it runs on a node.
    pub node: &'static [&'static str],
    /// That it is meant to fail.
    pub failure: &'static [&'static str],
    /// Of a lab whose solutions were taken out.
    pub kept: &'static str,
}

pub const LANGUAGES: &[(&str, Language)] = &[
    ("en", Language::English),
    ("de", Language::German),
    ("fr", Language::French),
    ("es", Language::Spanish),
    ("pt", Language::Portuguese),
    ("zh", Language::Chinese),
    ("ja", Language::Japanese),
];

const ENGLISH: Words = Words {
    name: "English",
    hint: &["hint", "hints"],
    solution: &["solution", "solutions"],
    answer: &["answer", "answers"],
    terminal: &["terminal", "window", "tab", "shell", "pane"],
    node: &["node"],
    failure: &[
        "fail",
        "error",
        "refus",
        "reject",
        "deni",
        "deny",
        "forbid",
        "not work",
        "wrong",
        "complain",
        "exit",
        "cannot",
        "can't",
        "won't",
        "will not",
        "does not",
        "doesn't",
        "not found",
        "status",
    ],
    kept: "Your instructor has it.",
};

const GERMAN: Words = Words {
    name: "German",
    hint: &["hinweis", "hinweise", "tipp", "tipps"],
    solution: &["lösung", "lösungen", "loesung", "loesungen", "musterlösung"],
    answer: &["antwort", "antworten"],
    terminal: &["terminal", "fenster", "konsole", "reiter", "shell", "tab"],
    node: &["knoten", "node"],
    failure: &[
        "fehl",
        "schlägt",
        "scheiter",
        "lehnt",
        "abgelehnt",
        "verweiger",
        "verbiet",
        "verboten",
        "nicht",
        "kein",
        "falsch",
        "status",
    ],
    kept: "Die Kursleitung hat sie.",
};

const FRENCH: Words = Words {
    name: "French",
    hint: &["indice", "indices", "astuce", "astuces"],
    solution: &["solution", "solutions", "corrigé", "corrigés"],
    answer: &["réponse", "réponses"],
    terminal: &["terminal", "fenêtre", "onglet", "console", "shell"],
    node: &["nœud", "noeud", "node"],
    failure: &["échou", "échec", "erreur", "refus", "rejet", "interdi", " pas ", "impossible", "statut"],
    kept: "Votre formateur l'a.",
};

const SPANISH: Words = Words {
    name: "Spanish",
    hint: &["pista", "pistas"],
    solution: &["solución", "soluciones", "solucion"],
    answer: &["respuesta", "respuestas"],
    terminal: &["terminal", "ventana", "pestaña", "consola", "shell"],
    node: &["nodo", "node"],
    failure: &["fall", "error", "rechaz", "deneg", "prohib", "no ", "estado"],
    kept: "La tiene quien imparte el curso.",
};

const PORTUGUESE: Words = Words {
    name: "Portuguese",
    hint: &["dica", "dicas"],
    solution: &["solução", "soluções", "solucao", "solucoes"],
    answer: &["resposta", "respostas"],
    terminal: &["terminal", "janela", "aba", "console", "shell"],
    node: &["nó", "nodo", "node"],
    failure: &["falh", "erro", "recus", "rejeit", "negad", "proib", "não ", "status"],
    kept: "Está com quem dá o curso.",
};

const CHINESE: Words = Words {
    name: "Chinese",
    hint: &["提示"],
    solution: &["解答", "解法", "解决方案", "解決方案", "参考解答", "參考解答"],
    answer: &["答案", "参考答案", "參考答案", "回答"],
    terminal: &["终端", "終端", "窗口", "視窗", "terminal", "shell"],
    node: &["节点", "節點", "node"],
    failure: &["失败", "失敗", "错误", "錯誤", "拒绝", "拒絕", "禁止", "不", "无法", "無法", "状态", "狀態"],
    kept: "由讲师保管。",
};

const JAPANESE: Words = Words {
    name: "Japanese",
    hint: &["ヒント"],
    solution: &["解答", "解答例", "模範解答", "解決策", "解法"],
    answer: &["答え", "回答", "正解"],
    terminal: &["ターミナル", "端末", "ウィンドウ", "タブ", "シェル", "terminal"],
    node: &["ノード", "node"],
    failure: &["失敗", "エラー", "拒否", "禁止", "できない", "できません", "ない", "ません", "終了"],
    kept: "講師が持っています。",
};

impl Language {
    pub const fn words(self) -> &'static Words {
        match self {
            Language::English => &ENGLISH,
            Language::German => &GERMAN,
            Language::French => &FRENCH,
            Language::Spanish => &SPANISH,
            Language::Portuguese => &PORTUGUESE,
            Language::Chinese => &CHINESE,
            Language::Japanese => &JAPANESE,
        }
    }

    /// As the front matter writes it.
    pub fn code(self) -> &'static str {
        LANGUAGES.iter().find(|(_, language)| *language == self).map_or("en", |(code, _)| code)
    }

    /// Those whose words hold in a lab in this language: its own, and English.
    pub fn known(self) -> impl Iterator<Item = &'static Words> {
        let own = self.words();
        std::iter::once(own).chain((self != Language::English).then_some(&ENGLISH))
    }
}

/// The first word of a text, in small letters.
pub(super) fn first_word(text: &str) -> String {
    text.trim_start().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase()
}

/// As a heading has it.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
