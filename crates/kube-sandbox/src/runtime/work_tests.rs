use tokio::sync::mpsc;

use super::*;

/// Reports each look at an item, and panics at the first of those that it is given.
struct Stumbles {
    over: Mutex<Vec<&'static str>>,
    looks: mpsc::UnboundedSender<&'static str>,
}

#[async_trait]
impl Controller for Stumbles {
    type Item = &'static str;

    fn sources(&self) -> Vec<Source<Self::Item>> {
        Vec::new()
    }

    async fn reconcile(&self, item: &Self::Item) -> Result<Next, Error> {
        self.looks.send(item).expect("somebody listens");
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = over.iter().position(|one| one == item) {
            over.remove(at);
            // The lock is poisoned by it, as one of a controller's own would be.
            panic!("attempt to add with overflow");
        }
        Ok(Next::Change)
    }
}

#[tokio::test]
async fn a_panic_frees_its_key_and_leaves_the_worker_alive() {
    let (looks, mut seen) = mpsc::unbounded_channel();
    let controller = Arc::new(Stumbles { over: Mutex::new(vec!["a", "a", "b"]), looks });
    let queue = Arc::new(Queue::new());
    // One worker: were it gone, nobody would look at anything.
    let worker = tokio::spawn(work(Arc::clone(&controller), Arc::clone(&queue)));
    queue.add("a");
    queue.add("b");
    queue.add("c");
    let mut all = Vec::new();
    while all.len() < 6 {
        all.push(seen.recv().await.expect("the worker goes on"));
    }
    all.sort_unstable();
    assert_eq!(all, ["a", "a", "a", "b", "b", "c"]);
    queue.add("d");
    assert_eq!(seen.recv().await, Some("d"));
    assert!(!worker.is_finished());
    worker.abort();
}
