//! What helps to write labs: a lab to begin with, checks that are proposed, and runs that are saved to be judged again.

mod export;
mod new;
pub mod record;
mod saved;

pub use export::{Form, export};
pub use new::{Template, new_lab};
pub use saved::{CACHED_BYTES, CACHED_RUNS, Cast, FORMAT, Head, LabHead, SavedError, SavedRun, make_room};
