//! The panel: server-rendered pages for customers and staff, in Danish and English, that work without JavaScript.
//!
//! It sits on control and calls the API's own router in process, with the visitor's session as bearer ([`routes::router`]):
//! it can do nothing that the API cannot. Customers and staff have an origin each, told apart by the host that is asked for;
//! any other host is answered 421. `desk` is what every request passes; a page is a function from `Ask` to `Reply`, and a
//! line in its table (`pages::table`, `staff::table`).

#![allow(dead_code, reason = "the parts of the design system stand before the pages that use them")]

pub mod config;
pub mod routes;
pub mod server;

mod api;
mod ask;
mod assets;
mod cookie;
mod desk;
mod form;
mod own_path;
mod pages;
mod say;
mod socket;
mod staff;
mod standing;
mod ui;
mod upload;

pub use config::{Config, Limits};
pub use server::{Running, StartError, start};
