//! What a client goes on to send when its request is answered already. It is let pass, within bounds: a connection
//! that is closed with bytes unread loses the answer on its way.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

const PASSES_WITHIN: Duration = Duration::from_secs(10);
const MOST: usize = 8 << 20;

/// A request's body; who drops it unread leaves the rest to this.
pub(super) struct Whole<B>(Option<B>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send;

impl<B> Whole<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    pub(super) fn new(body: B) -> Self {
        Self(Some(body))
    }
}

impl<B> HttpBody for Whole<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl<B> Drop for Whole<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    fn drop(&mut self) {
        let rest = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(rest), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(PASSES_WITHIN, let_pass(rest)));
        }
    }
}

async fn let_pass<B: HttpBody<Data = Bytes> + Unpin>(mut body: B) {
    let mut passed = 0;
    while passed < MOST {
        let Some(Ok(frame)) = body.frame().await else { return };
        passed += frame.data_ref().map_or(0, Bytes::len);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Frames of 1 MiB, and how many were taken.
    struct Sent {
        left: usize,
        taken: Arc<AtomicUsize>,
    }

    impl HttpBody for Sent {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            self.left -= 1;
            self.taken.fetch_add(1, Ordering::SeqCst);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; 1 << 20])))))
        }
    }

    impl Drop for Sent {
        fn drop(&mut self) {
            self.taken.fetch_add(1000, Ordering::SeqCst);
        }
    }

    async fn taken_of(frames: usize) -> usize {
        let taken = Arc::new(AtomicUsize::new(0));
        drop(Whole::new(Sent { left: frames, taken: Arc::clone(&taken) }));
        while taken.load(Ordering::SeqCst) < 1000 {
            tokio::task::yield_now().await;
        }
        taken.load(Ordering::SeqCst) - 1000
    }

    #[tokio::test]
    async fn the_rest_of_an_unread_body_is_taken_within_bounds() {
        assert_eq!(taken_of(3).await, 3);
        assert_eq!(taken_of(100).await, 8);
        assert_eq!(taken_of(0).await, 0);
    }
}
