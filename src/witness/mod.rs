//! Talks to etcd and the API: the watch, progress, reads, counters, turned into journal entries and observations.
