//! The connector against the stand-in of an HR system, over real HTTP that loses answers.

mod hr;

mod hours;
mod leaves;
