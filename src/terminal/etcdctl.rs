//! The `etcdctl` that stands first on PATH in a lab: the real one, with endpoint and certificates added
//! where the command itself names none.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How etcdctl comes to the lab's etcd.
#[derive(Debug, Clone)]
pub enum EtcdctlRoute {
    /// The real etcdctl of this machine.
    Direct { etcdctl: PathBuf, endpoints: Vec<String>, tls: Option<EtcdctlTls> },
    /// A command that ends in an etcdctl elsewhere, with or without flags of its own.
    Command(Vec<String>),
    /// There is none, and why.
    None(String),
}

/// Files of the client's certificate.
#[derive(Debug, Clone)]
pub struct EtcdctlTls {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Writes the script into the folder, in the place of whatever has its name there.
pub fn install_etcdctl(bin: &Path, route: &EtcdctlRoute) -> io::Result<()> {
    let file = bin.join("etcdctl");
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().create_new(true).write(true).mode(0o700).open(file)?.write_all(script(route).as_bytes())
}

/// The flags in question, with the variable that etcdctl reads in the place of each.
const FLAGS: [(&str, &str); 4] = [
    ("endpoints", "ETCDCTL_ENDPOINTS"),
    ("cacert", "ETCDCTL_CACERT"),
    ("cert", "ETCDCTL_CERT"),
    ("key", "ETCDCTL_KEY"),
];

/// Finds what the command names itself. An empty flag counts as none (`--endpoints=$ENDPOINTS` without such a
/// variable), and so does an empty variable, which quarrels with a flag all the same. Certificates are of no use to an endpoint that is named with `http://`.
const NAMED: &str = r#"endpoints=$ETCDCTL_ENDPOINTS cacert=$ETCDCTL_CACERT cert=$ETCDCTL_CERT key=$ETCDCTL_KEY
[ -n "$endpoints" ] || unset ETCDCTL_ENDPOINTS
[ -n "$cacert" ] || unset ETCDCTL_CACERT
[ -n "$cert" ] || unset ETCDCTL_CERT
[ -n "$key" ] || unset ETCDCTL_KEY
left=$# ended=
while [ "$left" -gt 0 ]; do
  arg=$1 left=$((left - 1))
  shift
  case $ended$arg in
    --) ended=yes ;;
    --endpoints= | --cacert= | --cert= | --key=) continue ;;
    --endpoints | --cacert | --cert | --key)
      if [ "$left" -gt 0 ] && [ -z "$1" ]; then
        shift
        left=$((left - 1))
        continue
      fi
      ;;
  esac
  set -- "$@" "$arg"
done
previous=
for arg in "$@"; do
  case $previous in --endpoints) endpoints=$arg ;; esac
  case $arg in
    --) break ;;
    --endpoints=*) endpoints=${arg#*=} ;;
    --endpoints) endpoints=named ;;
    --cacert | --cacert=*) cacert=named ;;
    --cert | --cert=*) cert=named ;;
    --key | --key=*) key=named ;;
  esac
  previous=$arg
done
case $endpoints in
  *https://*) ;;
  *http://*) cacert=named cert=named key=named ;;
esac
"#;

fn script(route: &EtcdctlRoute) -> String {
    let mut lines = vec![
        "#!/bin/sh".to_owned(),
        "# keywitness: etcdctl with the lab's endpoint and certificates where the command names none.".to_owned(),
    ];
    match route {
        EtcdctlRoute::Direct { etcdctl, endpoints, tls } => {
            lines.push(NAMED.to_owned());
            let tls = tls.as_ref().map(|tls| [&tls.ca, &tls.cert, &tls.key].map(|path| path.display().to_string()));
            let [ca, cert, key] = tls.map_or([None, None, None], |files| files.map(Some));
            let endpoints = Some(endpoints.join(",")).filter(|joined| !joined.is_empty());
            for ((flag, variable), value) in FLAGS.iter().zip([endpoints, ca, cert, key]) {
                if let Some(value) = value {
                    lines.push(format!("[ -n \"${flag}\" ] || export {variable}={}", shell_words::quote(&value)));
                }
            }
            lines.push(format!("exec {} \"$@\"", shell_words::quote(&etcdctl.display().to_string())));
        }
        EtcdctlRoute::Command(command) => {
            let (command, flags) = own_flags(command);
            lines.push(NAMED.to_owned());
            // The variables do not travel to where the command runs.
            for (flag, variable) in FLAGS {
                lines.push(format!("[ -z \"${variable}\" ] || set -- \"--{flag}=${variable}\" \"$@\""));
            }
            for (flag, value) in flags {
                let argument = format!("--{flag}={value}");
                lines.push(format!("[ -n \"${flag}\" ] || set -- {} \"$@\"", shell_words::quote(&argument)));
            }
            lines.push(format!("exec {} \"$@\"", shell_words::join(command)));
        }
        EtcdctlRoute::None(why) => {
            let message = format!("etcdctl: {why}");
            lines.push(format!("printf '%s\\n' {} >&2\nexit 127", shell_words::quote(&message)));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Takes the flags that a lab's command may name itself out of the given command.
fn own_flags(command: &[String]) -> (Vec<&str>, Vec<(&'static str, &str)>) {
    let mut rest = Vec::new();
    let mut flags = Vec::new();
    let mut words = command.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let named = FLAGS.iter().find_map(|(flag, _)| {
            let after = word.strip_prefix("--")?.strip_prefix(flag)?;
            (after.is_empty() || after.starts_with('=')).then_some((*flag, after.strip_prefix('=')))
        });
        match named {
            Some((flag, Some(value))) => flags.push((flag, value)),
            Some((flag, None)) => flags.extend(words.next().map(|value| (flag, value))),
            None => rest.push(word),
        }
    }
    (rest, flags)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    /// What the real etcdctl is given: its arguments and its variables.
    fn given(route: impl Fn(&Path) -> EtcdctlRoute, args: &[&str], env: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a folder");
        let real = dir.path().join("a real etcdctl");
        fs::write(&real, "#!/bin/sh\nprintf '%s\\n' \"$@\"\nenv | grep ^ETCDCTL_ | sort\n").expect("written");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).expect("executable");
        std::os::unix::fs::symlink("/bin/false", dir.path().join("etcdctl")).expect("a link in its place");
        install_etcdctl(dir.path(), &route(&real)).expect("installed");
        let output = Command::new(dir.path().join("etcdctl"))
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(env.iter().copied())
            .output()
            .expect("it runs");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    fn direct(real: &Path) -> EtcdctlRoute {
        EtcdctlRoute::Direct {
            etcdctl: real.to_owned(),
            endpoints: vec!["https://127.0.0.1:1".into(), "https://127.0.0.1:2".into()],
            tls: Some(EtcdctlTls { ca: "/p i/ca".into(), cert: "/p/c".into(), key: "/p/k".into() }),
        }
    }

    fn elsewhere(real: &Path) -> EtcdctlRoute {
        let words = ["--endpoints=https://e", "--cacert", "/in/ca", "--cert=/in/c", "--key=/in/k", "-x"];
        EtcdctlRoute::Command(
            [real.to_str().expect("UTF-8"), "exec"].iter().chain(&words).map(ToString::to_string).collect(),
        )
    }

    const ALL: [&str; 4] = [
        "ETCDCTL_CACERT=/p i/ca",
        "ETCDCTL_CERT=/p/c",
        "ETCDCTL_ENDPOINTS=https://127.0.0.1:1,https://127.0.0.1:2",
        "ETCDCTL_KEY=/p/k",
    ];

    #[test]
    fn a_command_that_names_nothing_gets_everything_and_its_arguments_stay() {
        let args = ["get", "/", "--prefix", "a b", "", "*", "--", "--endpoints=x"];
        assert_eq!(given(direct, &args, &[]), [&args[..], &ALL[..]].concat());
    }

    #[test]
    fn what_the_command_names_is_its_own() {
        let [_, cert, endpoints, key] = ALL;
        let args = ["--cacert", "/own", "get", "x"];
        assert_eq!(given(direct, &args, &[]), [&args[..], &[cert, endpoints, key]].concat());
        let args = ["get", "x", "--endpoints=https://own"];
        assert_eq!(given(direct, &args, &[]), [&args[..], &[ALL[0], cert, key]].concat());
        for args in [&["get", "x", "--endpoints=http://own"][..], &["--endpoints", "http://own", "get", "x"]] {
            assert_eq!(given(direct, args, &[]), args);
        }
    }

    #[test]
    fn variables_name_as_well_and_empty_ones_are_none() {
        let env = [("ETCDCTL_ENDPOINTS", ""), ("ETCDCTL_CERT", "/env/c"), ("ETCDCTL_API", "3")];
        let wanted = ["get", "ETCDCTL_API=3", ALL[0], "ETCDCTL_CERT=/env/c", ALL[2], ALL[3]].map(str::to_owned);
        assert_eq!(given(direct, &["get"], &env), wanted);
    }

    #[test]
    fn empty_flags_are_none() {
        let args = ["--endpoints=", "--cacert", "", "put", "--cert=", "a b", "", "--", "--key="];
        assert_eq!(given(direct, &args, &[]), [&["put", "a b", "", "--", "--key="][..], &ALL[..]].concat());
        let elsewhere = given(elsewhere, &["--endpoints=", "get", "--key", ""], &[]);
        assert_eq!(elsewhere.last().map(String::as_str), Some("get"));
        assert!(elsewhere.contains(&"--endpoints=https://e".to_owned()), "{elsewhere:?}");
    }

    #[test]
    fn a_command_elsewhere_gets_flags() {
        assert_eq!(
            given(elsewhere, &["get", "a b"], &[]),
            ["exec", "-x", "--key=/in/k", "--cert=/in/c", "--cacert=/in/ca", "--endpoints=https://e", "get", "a b"]
        );
        let own = given(elsewhere, &["get", "--cert=/own"], &[("ETCDCTL_KEY", "/env/k")]);
        assert_eq!(own[..6], ["exec", "-x", "--cacert=/in/ca", "--endpoints=https://e", "--key=/env/k", "get"]);
        let plain = given(elsewhere, &["get", "--endpoints", "http://own"], &[]);
        assert_eq!(plain, ["exec", "-x", "get", "--endpoints", "http://own"]);
    }

    #[test]
    fn where_there_is_none_it_says_why() {
        let dir = tempfile::tempdir().expect("a folder");
        install_etcdctl(dir.path(), &EtcdctlRoute::None("it isn't here".into())).expect("installed");
        let output = Command::new(dir.path().join("etcdctl")).output().expect("it runs");
        assert_eq!(output.status.code(), Some(127));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "etcdctl: it isn't here\n");
    }
}
