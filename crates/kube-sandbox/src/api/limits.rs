//! What keeps many requests, or one, from taking the process down: turns, memory for bodies, time, and panics.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::panic::said;
use crate::status::ApiError;

/// As much as kube-apiserver takes.
pub const LARGEST_BODY: usize = 3 << 20;
/// As many requests as kube-apiserver answers at once; watches and streams aside.
const AT_ONCE: usize = 400;
/// How long a request waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(15);
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Lists that are read or sent at a time; of each a page is held, and what is made of it.
const LISTS: usize = 32;
/// Of the bodies that arrive, and of those that are worked on. A parsed body takes many times its size.
const ARRIVING: usize = 48 << 20;
const IN_WORK: usize = 2 * LARGEST_BODY;

/// A request of this process's own parts: it waits for nobody's turn.
#[derive(Debug, Clone, Copy)]
pub struct Internal;

pub struct Limits {
    turns: Semaphore,
    lists: Arc<Semaphore>,
    arriving: Arc<Semaphore>,
    in_work: Arc<Semaphore>,
    turn_within: Duration,
    answer_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(AT_ONCE),
            lists: Arc::new(Semaphore::new(LISTS)),
            arriving: Arc::new(Semaphore::new(ARRIVING)),
            in_work: Arc::new(Semaphore::new(IN_WORK)),
            turn_within: TURN_WITHIN,
            answer_within: ANSWER_WITHIN,
        }
    }
}

/// Holds the memory that a request's body may take until the request is answered.
#[derive(Clone, Default)]
pub struct Held(Arc<OnceLock<OwnedSemaphorePermit>>);

/// How a request that had to be given up is answered, and what is logged of it.
#[derive(Debug)]
pub enum GivenUp {
    NoTurn,
    TooLong,
    Panic(String),
}

impl Limits {
    /// The answer of `work`, or that there is none.
    pub async fn run<B>(
        &self,
        request: Request<B>,
        endless: bool,
        work: impl AsyncFnOnce(Request<B>) -> Response,
    ) -> Result<Response, GivenUp> {
        use futures::FutureExt;
        let internal = request.extensions().get::<Internal>().is_some();
        let _turn = if internal || endless {
            None
        } else {
            Some(tokio::time::timeout(self.turn_within, self.turns.acquire()).await.map_err(|_| GivenUp::NoTurn)?)
        };
        // A panic is an end like any other: what a request holds is freed as its future is dropped.
        let answer = std::panic::AssertUnwindSafe(work(request)).catch_unwind();
        let answer = if endless {
            answer.await
        } else {
            tokio::time::timeout(self.answer_within, answer).await.map_err(|_| GivenUp::TooLong)?
        };
        answer.map_err(|panic: Box<dyn Any + Send>| GivenUp::Panic(said(&*panic).to_owned()))
    }

    /// A place among the lists, held until the answer is read; none is needed for this process's own.
    pub async fn list(&self, internal: bool) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        if internal {
            return Ok(None);
        }
        let place = tokio::time::timeout(self.turn_within, Arc::clone(&self.lists).acquire_owned()).await;
        place.map_err(|_| GivenUp::NoTurn.error()).map(Result::ok)
    }

    /// Room for a body of so many bytes to arrive; `None` where a size is not told.
    pub async fn arriving(&self, length: Option<usize>) -> Option<OwnedSemaphorePermit> {
        taken(&self.arriving, length.unwrap_or(LARGEST_BODY).min(LARGEST_BODY)).await
    }

    /// Room to work on a body, held until the request ends.
    pub async fn work_on(&self, held: &Held, length: usize) {
        if let Some(permit) = taken(&self.in_work, length).await {
            let _ = held.0.set(permit);
        }
    }
}

async fn taken(from: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let bytes = u32::try_from(bytes).ok()?;
    Arc::clone(from).acquire_many_owned(bytes).await.ok()
}

impl GivenUp {
    fn error(&self) -> ApiError {
        match self {
            Self::NoTurn => ApiError::new(
                429,
                "TooManyRequests",
                "The server has received too many requests and has asked us to try again later",
            )
            .with_details(serde_json::json!({"retryAfterSeconds": 1})),
            Self::TooLong => {
                ApiError::new(504, "Timeout", "Timeout: request did not complete within the allotted timeout")
                    .with_details(serde_json::json!({}))
            }
            Self::Panic(_) => ApiError::new(
                500,
                "InternalError",
                "This request caused apiserver to panic. Look in the logs for details.",
            ),
        }
    }
}

impl IntoResponse for GivenUp {
    fn into_response(self) -> Response {
        let mut response = self.error().into_response();
        if matches!(self, Self::NoTurn) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Request<()> {
        Request::new(())
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_frees_the_turn() {
        let limits = Limits::default();
        for _ in 0..3 {
            let given_up = limits.run(asked(), false, async |_| panic!("overflow in {}", "time")).await;
            let Err(GivenUp::Panic(said)) = given_up else { panic!("it went on") };
            assert_eq!(said, "overflow in time");
        }
        assert_eq!(limits.turns.available_permits(), AT_ONCE);
        let status = GivenUp::Panic(String::new()).error().to_status();
        assert_eq!((&status["code"], &status["reason"]), (&500.into(), &"InternalError".into()));
    }

    #[tokio::test]
    async fn who_gets_no_turn_is_told_to_come_again_and_watches_need_none() {
        let limits = Limits { turn_within: Duration::from_millis(10), ..Limits::default() };
        let _all = limits.turns.acquire_many(400).await.expect("all turns");
        let refused = limits.run(asked(), false, async |_| Response::default()).await;
        let response = refused.expect_err("no turn").into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (429, &HeaderValue::from_static("1"))
        );
        assert!(limits.run(asked(), true, async |_| Response::default()).await.is_ok());
        let mut own = asked();
        own.extensions_mut().insert(Internal);
        assert!(limits.run(own, false, async |_| Response::default()).await.is_ok());
    }

    #[tokio::test]
    async fn what_takes_for_ever_is_given_up() {
        let limits = Limits { answer_within: Duration::from_millis(10), ..Limits::default() };
        let answer = limits.run(asked(), false, async |_| std::future::pending().await).await;
        assert!(matches!(answer, Err(GivenUp::TooLong)));
    }

    #[tokio::test]
    async fn large_bodies_are_worked_on_one_after_another() {
        let limits = Limits::default();
        let (first, second) = (Held::default(), Held::default());
        limits.work_on(&first, LARGEST_BODY).await;
        limits.work_on(&second, LARGEST_BODY).await;
        let third = Held::default();
        let waiting = tokio::time::timeout(Duration::from_millis(20), limits.work_on(&third, LARGEST_BODY)).await;
        assert!(waiting.is_err(), "two are in work");
        drop(first);
        limits.work_on(&third, LARGEST_BODY).await;
    }
}
