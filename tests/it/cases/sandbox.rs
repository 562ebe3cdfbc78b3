//! What once took the sandbox down.

use super::{Case, cases};

cases! {
    a_rule_that_never_ends_is_refused_with_its_definition => Case::new(&["run"], "sandbox/celbomb.md")
        .exit(1)
        .screen("estimated rule cost exceeds budget by factor of more than 100x")
        .junit("<skipped message=\"something before it in the step failed\"");
}
