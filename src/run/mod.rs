//! The plan and the step engine (mark, act, poll until pass or deadline, emit), and the only Clock.
