//! Threads on which expressions are evaluated for callers that must not wait: a runtime's workers. There are only so
//! many of them, a caller may leave without its answer, and nobody waits for a thread's end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use futures::channel::oneshot;

/// Threads that evaluate at once.
const THREADS: usize = 2;

/// Work that may wait; more is refused.
const WAITING: usize = 256;

/// Deep expressions take stack; it is only reserved, not used.
const STACK: usize = 64 << 20;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { jobs: VecDeque::new(), threads: 0, idle: 0 });
static MORE: Condvar = Condvar::new();

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("too many expressions wait to be evaluated")]
    /// Too much waits already.
    Full,
    #[error("the evaluation ended in a fault of the program")]
    /// The work panicked.
    Broken,
}

/// Set when whoever asked has gone.
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does the work on a thread of the pool. The flag that the work is given is set as soon as nobody waits for it any
/// more; see [`crate::Budget::stopped_by`].
pub async fn run<T: Send + 'static>(work: impl FnOnce(Arc<AtomicBool>) -> T + Send + 'static) -> Result<T, Refused> {
    let stop = Arc::new(AtomicBool::new(false));
    let _leaving = Leaving(Arc::clone(&stop));
    let (answer, answered) = oneshot::channel();
    let job: Job = Box::new(move || {
        if !stop.load(Ordering::Relaxed) {
            // Nobody may be there to hear it.
            let _ = answer.send(work(stop));
        }
    });
    submit(job)?;
    answered.await.map_err(|_| Refused::Broken)
}

fn submit(job: Job) -> Result<(), Refused> {
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    if queue.jobs.len() >= WAITING {
        return Err(Refused::Full);
    }
    queue.jobs.push_back(job);
    if queue.idle == 0 && queue.threads < THREADS {
        let thread = std::thread::Builder::new().name("cel".to_owned()).stack_size(STACK);
        // Without a thread the job waits for one that is there already.
        if thread.spawn(serve).is_ok() {
            queue.threads += 1;
        }
    }
    MORE.notify_one();
    Ok(())
}

fn serve() {
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            drop(queue);
            // A panic drops the job's channel, which tells who asked.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
        } else {
            queue.idle += 1;
            queue = MORE.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}
