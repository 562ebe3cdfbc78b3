//! One fan-out of RunEvents to terminal, JSON, JUnit and GitHub; a broken reporter never stops the others.
