//! The process ends without a word, and what it finds when it comes back.

mod copies;
mod kill9;
mod refuse;
