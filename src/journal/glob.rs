use regex::Regex;

/// A pattern of keys: `*` within a segment, `**` across segments, `\*` a star.
#[derive(Debug, Clone)]
pub struct KeyGlob {
    text: String,
    prefix: String,
    /// `None` where the pattern is a plain key.
    regex: Option<Regex>,
}

/// A piece of a pattern: written by the author, or a variable's value, whose stars are data.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    Pattern(&'a str),
    Data(&'a str),
}

impl KeyGlob {
    pub fn new(pattern: &str) -> Self {
        Self::from_pieces(&[Piece::Pattern(pattern)])
    }

    /// A pattern as a person writes it: `/registry` stands for the cluster's own prefix, and a folder for all that is
    /// in it.
    pub fn in_cluster(pattern: &str, prefix: &str) -> Self {
        let below = pattern.strip_prefix("/registry").filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let (prefix, rest) = below.map_or(("", pattern), |rest| (prefix, rest));
        let all = if rest.ends_with('/') { "**" } else { "" };
        Self::from_pieces(&[Piece::Data(prefix), Piece::Pattern(rest), Piece::Pattern(all)])
    }

    /// One key, its stars being stars.
    pub fn literal(key: &str) -> Self {
        Self::from_pieces(&[Piece::Data(key)])
    }

    pub fn from_pieces(pieces: &[Piece<'_>]) -> Self {
        let mut text = String::new();
        let mut prefix = String::new();
        let mut regex = String::from("(?s)^");
        let mut wild = false;
        let mut literal = |c: char, regex: &mut String, wild: bool| {
            regex.push_str(regex::escape(c.encode_utf8(&mut [0; 4])).as_str());
            if !wild {
                prefix.push(c);
            }
        };
        for piece in pieces {
            match piece {
                Piece::Data(data) => {
                    text.push_str(data);
                    data.chars().for_each(|c| literal(c, &mut regex, wild));
                }
                Piece::Pattern(pattern) => {
                    text.push_str(pattern);
                    let mut chars = pattern.chars().peekable();
                    while let Some(c) = chars.next() {
                        if c == '\\' && chars.peek() == Some(&'*') {
                            chars.next();
                            literal('*', &mut regex, wild);
                        } else if c == '*' {
                            wild = true;
                            if chars.peek() == Some(&'*') {
                                chars.next();
                                regex.push_str(".*");
                            } else {
                                regex.push_str("[^/]*");
                            }
                        } else {
                            literal(c, &mut regex, wild);
                        }
                    }
                }
            }
        }
        regex.push('$');
        let regex = wild.then(|| Regex::new(&regex).expect("escaped text and two fixed wildcards form a regex"));
        Self { text, prefix, regex }
    }

    pub fn matches(&self, key: &str) -> bool {
        match &self.regex {
            None => key == self.prefix,
            Some(regex) => key.starts_with(&self.prefix) && regex.is_match(key),
        }
    }

    /// The text that every matching key begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The whole key, where there is no wildcard.
    pub fn exact(&self) -> Option<&str> {
        self.regex.is_none().then_some(self.prefix.as_str())
    }
}

impl std::fmt::Display for KeyGlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_its_segment() {
        let glob = KeyGlob::new("/registry/pods/*/web");
        assert!(glob.matches("/registry/pods/default/web"));
        assert!(!glob.matches("/registry/pods/default/x/web"));
        assert!(!glob.matches("/registry/pods/default/web2"));
        assert_eq!(glob.prefix(), "/registry/pods/");
    }

    #[test]
    fn two_stars_cross_segments_and_line_ends() {
        let glob = KeyGlob::new("/registry/**");
        assert!(glob.matches("/registry/pods/default/web"));
        assert!(glob.matches("/registry/a\nb"));
        assert!(!glob.matches("/other"));
    }

    #[test]
    fn an_escaped_star_and_a_variables_star_are_data() {
        let glob = KeyGlob::new(r"/a/\*");
        assert_eq!(glob.exact(), Some("/a/*"));
        let glob = KeyGlob::from_pieces(&[Piece::Pattern("/a/"), Piece::Data("*.x"), Piece::Pattern("/*")]);
        assert!(glob.matches("/a/*.x/b"));
        assert!(!glob.matches("/a/y.x/b"));
        assert!(!glob.matches("/a/*yx/b"));
    }

    #[test]
    fn without_a_wildcard_only_the_key_itself_matches() {
        let glob = KeyGlob::new("/registry/namespaces/demo");
        assert!(glob.matches("/registry/namespaces/demo"));
        assert!(!glob.matches("/registry/namespaces/demo2"));
    }

    #[test]
    fn a_persons_keys_are_meant_under_the_clusters_own_prefix() {
        assert!(KeyGlob::in_cluster("/registry/pods/**", "/kubernetes.io").matches("/kubernetes.io/pods/a/b"));
        assert!(KeyGlob::in_cluster("/registry/namespaces/demo", "/registry").matches("/registry/namespaces/demo"));
        assert!(KeyGlob::in_cluster("/registry/pods/", "/registry").matches("/registry/pods/a/b"));
        assert!(KeyGlob::in_cluster("/registryx", "/registry").matches("/registryx"));
        assert!(KeyGlob::in_cluster("/coreos.com/x", "/registry").matches("/coreos.com/x"));
    }
}
