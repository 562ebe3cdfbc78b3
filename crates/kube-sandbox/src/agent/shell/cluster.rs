//! What a command meets of the cluster that it is in: names that it looks up, and who answers where it calls.

use std::fmt::Debug;

/// What comes of looking up a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// No such name.
    Nowhere,
    /// A name outside of the cluster: it is taken to be there, and nothing is known of it.
    Outside,
    /// Another name stands for it.
    Alias(String),
    At {
        full: String,
        addresses: Vec<String>,
    },
    /// The cluster's DNS cannot be reached from here.
    Silence,
}

/// A call to a port.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) host: &'a str,
    pub(crate) address: &'a str,
    pub(crate) port: i64,
    /// In milliseconds since 1970.
    pub(crate) at: i64,
    /// Chooses among several that could answer.
    pub(crate) choice: u64,
    pub(crate) udp: bool,
    pub(crate) asks: Option<Asks<'a>>,
}

/// What is asked for over HTTP, and the name of the program that asks.
#[derive(Debug, Clone)]
pub(crate) struct Asks<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) agent: &'a str,
}

/// What a web server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) server: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What is sent there is dropped on its way.
    Silence,
    Refused,
    /// Somebody is there, and what he says is not known.
    Somebody,
    Says(Page),
}

/// The cluster as one pod sees it.
pub(crate) trait Cluster: Debug + Send + Sync {
    fn find(&self, name: &str, at: i64) -> Name;
    fn call(&self, call: &Call<'_>) -> Answer;
}

impl Page {
    pub(crate) fn reason(&self) -> &'static str {
        match self.status {
            200 => "OK",
            301 => "Moved Permanently",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Not Allowed",
            500 => "Internal Server Error",
            _ => "",
        }
    }

    /// Its first lines, as they are sent.
    pub(crate) fn head(&self, at: i64) -> String {
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason());
        if let Some(server) = &self.server {
            out.push_str(&format!("Server: {server}\r\n"));
        }
        let date = jiff::Timestamp::from_millisecond(at).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT");
        out.push_str(&format!("Date: {date}\r\nContent-Type: {}\r\n", self.kind));
        out.push_str(&format!("Content-Length: {}\r\nConnection: keep-alive\r\n\r\n", self.body.len()));
        out
    }
}
