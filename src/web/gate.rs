//! Who gets in. Every request passes here before anything else looks at it: its Host and Origin must be of the list,
//! letter for letter, and whatever is of a lab demands the secret. No cookie, no address of a peer and no `Sec-Fetch`
//! header proves anything here.

use std::collections::BTreeSet;

use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};

use super::secret::Secret;

/// For proxies that take `Authorization` for themselves.
pub(super) const SECRET_HEADER: &str = "x-keywitness-secret";

/// What a secret allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Full,
    /// To look on: nothing is asked, answered or typed.
    Present,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    Host,
    Origin,
    NoSecret,
    WrongSecret,
    PresentOnly,
    NotJson,
    Method,
}

impl Denied {
    pub(super) fn status(self) -> http::StatusCode {
        use http::StatusCode;
        match self {
            Denied::Host => StatusCode::MISDIRECTED_REQUEST,
            Denied::Origin | Denied::PresentOnly => StatusCode::FORBIDDEN,
            Denied::NoSecret | Denied::WrongSecret => StatusCode::UNAUTHORIZED,
            Denied::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Denied::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Denied::Host => "this server is not known by that name: start it with --host or --origin to add one",
            Denied::Origin => "a page of another origin asks: start the server with --origin to allow one",
            Denied::NoSecret => "this needs the secret of the link that `keywitness serve` printed",
            Denied::WrongSecret => "this is not the secret of this server: each start has a new one",
            Denied::PresentOnly => "this link is view-only",
            Denied::NotJson => "send it as application/json",
            Denied::Method => "this method is not allowed here",
        }
    }
}

/// Which names and secrets are right.
pub(super) struct Gate {
    pub(super) hosts: BTreeSet<String>,
    pub(super) origins: BTreeSet<String>,
    pub(super) full: Secret,
    pub(super) present: Option<Secret>,
}

impl Gate {
    /// Whether a request may go on, and with what.
    pub(super) fn enter(&self, parts: &Parts, place: Place) -> Result<Option<Access>, Denied> {
        self.host(&parts.headers, &parts.uri)?;
        let origin = self.origin(&parts.headers)?;
        match place {
            Place::Public => match parts.method {
                Method::GET | Method::HEAD => Ok(None),
                _ => Err(Denied::Method),
            },
            // Its first frame shows the secret: a browser can send no header with it.
            Place::Socket if origin => Ok(None),
            Place::Socket => Err(Denied::Origin),
            Place::Api => {
                let access = self.access(secret_of(&parts.headers).ok_or(Denied::NoSecret)?)?;
                if matches!(parts.method, Method::GET | Method::HEAD) {
                    return Ok(Some(access));
                }
                if !matches!(parts.method, Method::POST | Method::DELETE) {
                    return Err(Denied::Method);
                }
                if !origin {
                    return Err(Denied::Origin);
                }
                if access != Access::Full {
                    return Err(Denied::PresentOnly);
                }
                if parts.method == Method::POST && !is_json(&parts.headers) {
                    return Err(Denied::NotJson);
                }
                Ok(Some(access))
            }
        }
    }

    pub(super) fn access(&self, given: &str) -> Result<Access, Denied> {
        if self.full.is(given) {
            return Ok(Access::Full);
        }
        match &self.present {
            Some(present) if present.is(given) => Ok(Access::Present),
            _ => Err(Denied::WrongSecret),
        }
    }

    fn host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Denied> {
        let named = only(headers, &header::HOST).ok_or(Denied::Host)?;
        let in_line = uri.authority().is_none_or(|authority| self.hosts.contains(authority.as_str()));
        if self.hosts.contains(named) && in_line { Ok(()) } else { Err(Denied::Host) }
    }

    /// Whether there is one; one that is not of the list is refused wherever it asks.
    fn origin(&self, headers: &HeaderMap) -> Result<bool, Denied> {
        if !headers.contains_key(header::ORIGIN) {
            return Ok(false);
        }
        match only(headers, &header::ORIGIN) {
            Some(origin) if self.origins.contains(origin) => Ok(true),
            _ => Err(Denied::Origin),
        }
    }
}

/// What kind of thing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The page's own files: nothing of a lab.
    Public,
    Socket,
    Api,
}

impl Place {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        match path.strip_prefix("/api/") {
            None if path == "/api" => Place::Api,
            None => Place::Public,
            Some(rest) => match rest.split('/').collect::<Vec<_>>()[..] {
                ["sessions", _, "terminals", _] if method == Method::GET => Place::Socket,
                _ => Place::Api,
            },
        }
    }
}

fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

fn secret_of(headers: &HeaderMap) -> Option<&str> {
    let own = header::HeaderName::from_static(SECRET_HEADER);
    if headers.contains_key(&own) {
        return only(headers, &own);
    }
    only(headers, &header::AUTHORIZATION)?.strip_prefix("Bearer ")
}

/// No form of another page can send this without being asked whether it may.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = only(headers, &header::CONTENT_TYPE).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Gate {
            hosts: names(&["127.0.0.1:7468"]),
            origins: names(&["http://127.0.0.1:7468"]),
            full: Secret::random().expect("random"),
            present: Some(Secret::random().expect("random")),
        }
    }

    fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn host_and_origin_are_compared_letter_for_letter() {
        let gate = gate();
        let bearer = format!("Bearer {}", gate.full.text());
        let enter = |headers: &[(&str, &str)]| {
            let all: Vec<_> = headers.iter().copied().chain([("authorization", bearer.as_str())]).collect();
            gate.enter(&asked("GET", "/api/course", &all), Place::Api)
        };
        let host = ("host", "127.0.0.1:7468");
        assert_eq!(enter(&[host]), Ok(Some(Access::Full)));
        assert_eq!(enter(&[host, ("origin", "http://127.0.0.1:7468")]), Ok(Some(Access::Full)));
        for other in ["evil.example", "127.0.0.1:7469", "127.0.0.1", "127.0.0.1:7468.evil.example", "10.0.0.1:7468", ""]
        {
            assert_eq!(enter(&[("host", other)]), Err(Denied::Host), "{other}");
        }
        assert_eq!(enter(&[]), Err(Denied::Host));
        assert_eq!(enter(&[host, ("host", "127.0.0.1:7468")]), Err(Denied::Host));
        for other in [
            "http://127.0.0.1:7468.evil.example",
            "http://127.0.0.1:74680",
            "https://127.0.0.1:7468",
            "http://10.0.0.1:7468",
            "http://localhost:7468",
            "null",
            "",
        ] {
            assert_eq!(enter(&[host, ("origin", other)]), Err(Denied::Origin), "{other}");
        }
        let in_line = asked("GET", "http://evil.example/api/course", &[host, ("authorization", &bearer)]);
        assert_eq!(gate.enter(&in_line, Place::Api), Err(Denied::Host));
    }

    #[test]
    fn only_the_secret_in_its_header_lets_in() {
        let gate = gate();
        let host = ("host", "127.0.0.1:7468");
        let secret = gate.full.text().to_owned();
        let enter = |header: (&str, &str)| gate.enter(&asked("GET", "/api/course", &[host, header]), Place::Api);
        assert_eq!(enter(("authorization", &format!("Bearer {secret}"))), Ok(Some(Access::Full)));
        assert_eq!(enter((SECRET_HEADER, &secret)), Ok(Some(Access::Full)));
        assert_eq!(enter(("cookie", &format!("secret={secret}"))), Err(Denied::NoSecret));
        assert_eq!(enter(("authorization", &secret)), Err(Denied::NoSecret));
        assert_eq!(enter(("sec-fetch-site", "same-origin")), Err(Denied::NoSecret));
        assert_eq!(enter(("authorization", "Bearer ")), Err(Denied::WrongSecret));
        assert_eq!(enter(("authorization", &format!("Bearer {}", &secret[..42]))), Err(Denied::WrongSecret));
        assert_eq!(enter(("x-forwarded-for", "127.0.0.1")), Err(Denied::NoSecret));
    }

    #[test]
    fn a_post_needs_an_origin_json_and_the_full_secret() {
        let gate = gate();
        let (host, origin) = (("host", "127.0.0.1:7468"), ("origin", "http://127.0.0.1:7468"));
        let (full, present) =
            (format!("Bearer {}", gate.full.text()), format!("Bearer {}", gate.present.as_ref().expect("one").text()));
        let json = ("content-type", "application/json");
        let post = |headers: &[(&str, &str)]| gate.enter(&asked("POST", "/api/open", headers), Place::Api);
        assert_eq!(post(&[host, origin, json, ("authorization", &full)]), Ok(Some(Access::Full)));
        assert_eq!(post(&[host, json, ("authorization", &full)]), Err(Denied::Origin));
        assert_eq!(
            post(&[host, origin, ("content-type", "text/plain"), ("authorization", &full)]),
            Err(Denied::NotJson)
        );
        assert_eq!(post(&[host, origin, json, ("authorization", &present)]), Err(Denied::PresentOnly));
        let put = asked("PUT", "/api/open", &[host, origin, json, ("authorization", &full)]);
        assert_eq!(gate.enter(&put, Place::Api), Err(Denied::Method));
    }

    #[test]
    fn a_socket_needs_an_origin_and_files_need_nothing() {
        let gate = gate();
        let (host, origin) = (("host", "127.0.0.1:7468"), ("origin", "http://127.0.0.1:7468"));
        let path = "/api/sessions/first-look/terminals/main";
        assert_eq!(Place::of(&Method::GET, path), Place::Socket);
        assert_eq!(gate.enter(&asked("GET", path, &[host]), Place::Socket), Err(Denied::Origin));
        assert_eq!(gate.enter(&asked("GET", path, &[host, origin]), Place::Socket), Ok(None));
        assert_eq!(Place::of(&Method::DELETE, path), Place::Api);
        for path in ["/api/sessions/first-look/terminals", "/api", "/api/", "/api/x"] {
            assert_eq!(Place::of(&Method::GET, path), Place::Api, "{path}");
        }
        assert_eq!(Place::of(&Method::GET, "/assets/course.mjs"), Place::Public);
        assert_eq!(gate.enter(&asked("POST", "/", &[host, origin]), Place::Public), Err(Denied::Method));
    }
}
