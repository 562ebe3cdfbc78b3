//! The course: which labs there are, and how a session of one begins. Whoever builds the server knows how.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::lab::Lab;
use crate::session::Session;
use owned_processes::Guard;

/// Where labs come from.
#[async_trait::async_trait]
pub trait Library: Send + Sync + 'static {
    /// Of the course.
    fn title(&self) -> String;
    /// In the order of their needs. It reads files: not on a thread that others wait for.
    fn labs(&self) -> Vec<Entry>;
    /// Brings up a session.
    async fn start(&self, wanted: Wanted, stages: Stages) -> Result<Started, Refusal>;
}

/// Is called with each stage of a cluster that comes up.
pub type Stages = Arc<dyn Fn(&str) + Send + Sync>;

/// A lab of the course.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub id: String,
    pub title: String,
    pub summary: Option<String>,
    pub path: String,
    pub level: Option<String>,
    pub minutes: Option<u32>,
    pub clusters: Vec<String>,
    pub needs: Vec<Need>,
    /// `new`, `started` or `finished`.
    pub state: String,
    pub step: usize,
    pub of: usize,
    pub points: u32,
    pub max_points: u32,
    /// A session of it goes on, here or in another process.
    pub running: bool,
    pub asks: Vec<Question>,
    /// Why it cannot be opened.
    pub errors: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Need {
    pub id: String,
    pub title: String,
    pub met: bool,
}

/// A variable that a lab asks for.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    pub name: String,
    pub question: String,
    pub default: String,
}

/// A session to begin.
pub struct Wanted {
    pub lab: String,
    pub vars: BTreeMap<String, String>,
    /// Begins again although it could be resumed.
    pub fresh: bool,
    /// Ends it, kept.
    pub interrupt: CancellationToken,
}

pub struct Started {
    pub lab: Arc<Lab>,
    pub session: Session,
    /// The session's own, which its terminals end with.
    pub guard: Guard,
}

/// Why something was not done, and what to do instead.
#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    #[serde(rename = "error")]
    pub reason: String,
    pub hint: Option<String>,
}

impl Refusal {
    pub fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: Some(hint.into()) }
    }
}
