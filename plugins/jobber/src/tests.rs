//! The connector against the stand-in of Jobber, over real HTTP that loses answers.

mod far_end;

mod incoming;
mod outgoing;
