//! Runs the edge alone, from a configuration and a table in JSON files: `serve CONFIG.json TABLE.json`. The table's sites
//! are told to it over the node's socket, as a node would; without a table, whoever listens there is the node. For
//! benchmarks and for looking at the edge by itself.

#![allow(clippy::print_stdout, reason = "it tells whoever started it that it is ready")]

use anyhow::Context as _;
use husorden_base::site::{Site, ToEdge};
use husorden_edge::{Config, run_blocking};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let mut arguments = std::env::args().skip(1);
    let Some(config) = arguments.next() else {
        anyhow::bail!("usage: serve CONFIG.json [TABLE.json]");
    };
    let config: Config = serde_json::from_slice(&std::fs::read(&config)?).context(config)?;
    if let Some(table) = arguments.next() {
        let sites: Vec<Site> = serde_json::from_slice(&std::fs::read(&table)?).context(table)?;
        let _ = std::fs::remove_file(&config.node_socket);
        let listener = UnixListener::bind(&config.node_socket).context("the node's socket")?;
        std::thread::spawn(move || {
            if let Err(error) = play_node(&listener, sites) {
                eprintln!("the node's part ended: {error:#}");
            }
        });
    }
    run_blocking(config, async {
        let ended = tokio::signal::ctrl_c();
        let mut told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .expect("a handler for SIGTERM can be set");
        tokio::select! {
            _ = ended => {}
            _ = told.recv() => {}
        }
    })?;
    Ok(())
}

/// Tells the whole table, and says `ready` once it is in force.
fn play_node(listener: &UnixListener, sites: Vec<Site>) -> anyhow::Result<()> {
    let (mut stream, _) = listener.accept()?;
    // Above any table an earlier run may have left on disk.
    let generation = std::time::UNIX_EPOCH.elapsed()?.as_secs();
    let mut line = serde_json::to_vec(&ToEdge::Table { generation, sites })?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in BufReader::new(stream).lines() {
        if line?.contains("\"applied\"") {
            println!("ready");
        }
    }
    Ok(())
}
