//! The connector against the stand-in of QuickBooks Online, over real HTTP that loses answers.

mod books;

mod customers;
mod invoices;
mod streams;
mod times;
