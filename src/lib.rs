//! keywitness runs and grades hands-on Kubernetes and etcd labs by what etcd itself witnessed.
//!
//! Data flows one way through the modules:
//!
//! `Markdown -> SourceFile -[parse]-> Lab -[plan]-> Plan -[run + cluster + terminal]-> journal
//! entries, outputs -> Evidence -[grade]-> Verdict -> RunEvent -[fold]-> RunReport -[report]->
//! text, JSON, JUnit, annotations -> exit status`

pub mod author;
pub mod cli;
pub mod cluster;
pub mod editor;
pub mod expr;
pub mod grade;
pub mod journal;
pub mod lab;
pub mod learn;
pub mod outcome;
pub mod parse;
pub mod report;
pub mod run;
pub mod session;
pub mod shell;
pub mod terminal;
pub mod text;
pub mod web;
pub mod witness;
