//! Wires, drives, serves. The binary is `ab`.
//!
//! [`cli`] is the face, [`drive`] performs what the spine wants, [`wiring`] alone joins ports to implementations, and [`report`] alone turns
//! errors into what a person reads.

mod approvers;
mod browser;
mod bundles;
pub mod cli;
mod codes;
mod config;
mod desk;
mod document;
mod drive;
mod egress;
mod embedded;
mod example;
mod home;
mod html;
mod in_force;
mod jail;
mod keys;
mod layers;
mod measure;
mod no_exec;
mod pages;
mod policy;
mod prove;
mod queue;
mod replay;
mod report;
mod repository;
mod sealed;
mod serve;
mod shadow;
mod sources;
mod story;
mod vault;
mod walls;
mod why;
mod wiring;
mod workers;
mod workshop;
