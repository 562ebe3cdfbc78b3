mod clocks;
mod events;
mod keys;
mod sampled;
mod world;
