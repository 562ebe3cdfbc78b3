//! What names a part of a lab.

/// The number of a block, a check or a question in its lab, in document order. What speaks of a part keeps this number;
/// where it stands in the text is for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub usize);
