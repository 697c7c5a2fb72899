//! The connector against field-service software, over real HTTP that loses answers.

mod far_end;

mod incoming;
mod outgoing;
