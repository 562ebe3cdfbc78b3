use super::*;

fn around(host: &str) -> Surroundings {
    Surroundings {
        variables: vec![("DOCKER_HOST".to_owned(), host.to_owned())],
        home: std::path::PathBuf::from("/nonexistent"),
        uid: 1000,
    }
}

#[tokio::test]
async fn a_socket_that_nobody_serves_is_told_from_one_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docker.sock");
    let host = format!("unix://{}", path.display());
    let error = Engine::find_in(None, &around(&host)).await.expect_err("no socket");
    assert!(error.detail[0].contains("no such socket"), "{error:?}");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    let error = Engine::find_in(None, &around(&host)).await.expect_err("nobody serves it");
    assert!(error.detail[0].contains("nothing answers"), "{error:?}");
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("stopped")), "{error:?}");
}

#[test]
fn versions_are_compared_by_number() {
    assert_eq!(major_minor("20.10.24+dfsg1"), Some((20, 10)));
    assert_eq!(major_minor("v5.3.1-dev"), Some((5, 3)));
    assert!(major_minor("9.0.1") < major_minor("20.10.0"));
    assert_eq!(major_minor("edge"), None);
}

#[test]
fn podman_behind_docker_host_is_seen() {
    let version: SystemVersion = serde_json::from_str(
        r#"{"Version":"4.3.1","ApiVersion":"1.41","Components":[{"Name":"Podman Engine","Version":"4.3.1"},{"Name":"Conmon","Version":"2"}]}"#,
    )
    .expect("as Podman answers");
    assert_eq!(what_answered(&version), (Flavor::Podman, "4.3.1".to_owned()));
}
