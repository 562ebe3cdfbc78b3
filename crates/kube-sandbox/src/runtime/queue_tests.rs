use std::sync::Arc;

use super::*;

#[tokio::test]
async fn a_key_is_handed_out_once_and_again_if_asked_while_running() {
    let queue = Queue::new();
    queue.add("a");
    queue.add("a");
    queue.add("b");
    assert_eq!(queue.next().await, "a");
    queue.add("a");
    assert_eq!(queue.next().await, "b");
    queue.done(&"b");
    queue.done(&"a");
    assert_eq!(queue.next().await, "a");
    queue.done(&"a");
    assert!(tokio::time::timeout(Duration::from_millis(20), queue.next()).await.is_err());
}

#[tokio::test]
async fn of_several_later_times_the_earliest_counts_once() {
    let queue = Arc::new(Queue::new());
    queue.add_after("a", Duration::from_millis(30));
    queue.add_after("a", Duration::from_millis(5));
    queue.add_after("a", Duration::from_secs(60));
    assert_eq!(queue.next().await, "a");
    queue.done(&"a");
    assert!(tokio::time::timeout(Duration::from_millis(60), queue.next()).await.is_err());
}

#[tokio::test]
async fn every_idle_worker_is_woken() {
    let queue = Arc::new(Queue::new());
    let workers: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.next().await }
            })
        })
        .collect();
    for key in ["a", "b", "c"] {
        queue.add(key);
    }
    let mut got = Vec::new();
    for worker in workers {
        got.push(worker.await.expect("the worker ends"));
    }
    got.sort_unstable();
    assert_eq!(got, ["a", "b", "c"]);
}

#[tokio::test]
async fn failures_wait_longer_each_time_and_success_forgets_them() {
    let queue = Queue::new();
    for _ in 0..3 {
        queue.retry("a", false);
        assert_eq!(queue.next().await, "a");
        queue.done(&"a");
    }
    assert_eq!(queue.state().failures.get("a"), Some(&3));
    queue.succeeded(&"a");
    assert!(queue.state().failures.is_empty());
}
