//! Controllers: each a client of the API like any other, so that they run against a real kube-apiserver unchanged.

mod aggregation;
mod certificates;
mod cronjob;
pub(super) mod daemonset;
mod deployment;
mod discovery;
mod disruption;
mod endpoints;
mod fit;
mod garbage;
mod hpa;
mod job;
mod job_policy;
mod job_status;
pub(super) mod namespace;
mod nodes;
mod pods;
mod preempt;
mod quota;
mod replicaset;
mod revisions;
mod scheduler;
mod spread;
mod statefulset;
mod suits;
mod tokens;
mod trigger;
mod volumes;

use crate::agent::{Agent, Machine, Runs};
use crate::pki::Pki;
use crate::runtime::Context;

/// What the controllers must know of the cluster they serve.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The nodes whose pods are played, and the address of each.
    pub nodes: Vec<(String, std::net::Ipv4Addr)>,
    /// The API's certificate authority, in PEM, for `kube-root-ca.crt`.
    pub ca: String,
    /// The pods are played and nothing else is done: another kube-controller-manager and kube-scheduler are there.
    pub only_nodes: bool,
    /// What the nodes' containers do, for whoever serves their logs.
    pub runs: Runs,
}

/// All controllers of one sandbox; they end when this is dropped.
#[must_use = "the controllers stop when this is dropped"]
pub struct Controllers {
    context: Context,
}

impl Controllers {
    /// Starts them all; each begins once it has seen what is there.
    pub fn start(client: kube::Client, settings: Settings) -> Self {
        let context = Context::new(client);
        Self::play_nodes(&context, &settings);
        if !settings.only_nodes {
            Self::control(&context, &settings.ca);
        }
        Self { context }
    }

    fn play_nodes(context: &Context, settings: &Settings) {
        let addresses = std::sync::Arc::default();
        for (name, address) in &settings.nodes {
            let agent = context.run(Agent::new(context, &settings.runs, name, *address, &addresses));
            settings.runs.woken(move |pod| agent.add(pod));
            context.run(Machine::new(context, name));
        }
    }

    fn control(context: &Context, ca: &str) {
        context.run(namespace::Furnishings::new(context, ca));
        context.run(deployment::Deployments::new(context));
        context.run(replicaset::Replicas::sets(context));
        context.run(scheduler::Scheduler::new(context));
        context.run(replicaset::Replicas::controllers(context));
        context.run(namespace::Namespaces::new(context));
        context.run(nodes::Nodes::new(context));
        context.run(endpoints::Endpoints::new(context));
        context.run(endpoints::Slices::new(context));
        context.run(endpoints::Mirror::new(context));
        context.run(statefulset::StatefulSets::new(context));
        context.run(daemonset::DaemonSets::new(context));
        context.run(job::Jobs::new(context));
        context.run(cronjob::CronJobs::new(context));
        context.run(disruption::Budgets::new(context));
        context.run(hpa::Autoscalers::new(context));
        context.run(quota::Quotas::new(context));
        context.run(aggregation::Aggregation::new(context));
        context.run(volumes::Claims::new(context));
        context.run(tokens::Tokens::new(context));
        garbage::Garbage::start(context);
    }
}

impl Controllers {
    /// Signs what is approved, where the authority's key is at hand.
    pub fn sign_with(&self, pki: Pki) {
        self.context.run(certificates::Signer::new(&self.context, pki));
    }
}

impl Drop for Controllers {
    fn drop(&mut self) {
        self.context.stop();
    }
}
