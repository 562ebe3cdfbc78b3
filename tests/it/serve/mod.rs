//! `keywitness serve` as a browser meets it, and as whoever else may try.

mod client;
mod ends;
mod hostile;
mod lesson;
mod terminals;
