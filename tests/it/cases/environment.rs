//! What the runner's own environment may be, and what a lab finds in its.

use super::{Case, cases};

cases! {
    the_folder_of_a_lab_named_by_its_file => Case::new(&["run"], "environment/labdir-empty.md")
        .exit(0)
        .not_on_screen("LAB_DIR=[]");

    an_empty_flag_of_etcdctl_is_none => Case::new(&["run"], "environment/etcd-endpoints.md").exit(0);

    a_proxy_is_not_for_loopback => Case::new(&["run"], "environment/proxy.md")
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("https_proxy", "http://127.0.0.1:9")
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("NO_PROXY", "odd..entry,,")
        .exit(0)
        .json("/labs/0/verdict", "pass");
}
