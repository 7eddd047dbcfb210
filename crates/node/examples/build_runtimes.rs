//! Builds everything in the catalogue (or what is named) into a pool of its own, and shows what it took: fills the cache that nodes and
//! tests then read from. `build_runtimes FOLDER CATALOGUE [NAME…]`; the pool stays mounted at `FOLDER/run/pools/main`.
#![allow(clippy::print_stdout, reason = "what it shows is what it is for")]

use husorden_base::{Bytes, RuntimeName};
use husorden_kinds::RuntimeSight;
use husorden_node::Ground;
use husorden_node::runtime::Runtimes;
use husorden_node::volume::{Pool, PoolConfig, QuotaWish, Source};
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(catalogue)) = (args.next(), args.next()) else {
        return Err("usage: build_runtimes FOLDER CATALOGUE [NAME…]".into());
    };
    let folder = PathBuf::from(folder);
    let ground = Ground {
        instance: "dev".to_owned(),
        home: folder.join("home"),
        run: folder.join("run"),
        cache: "/var/cache/husorden".into(),
        catalogue: catalogue.into(),
        edge_gid: 0,
    };
    let config = PoolConfig {
        name: "main".to_owned(),
        source: Source::File { path: ground.home.join("main.pool"), size: Bytes::gib(8) },
        quota: QuotaWish::Best,
    };
    let pool = Pool::open(&ground, &config)?;
    let runtimes = Runtimes::open(&ground, pool.root(), husorden_node::network::current()?)?;
    let mut names = args.map(|name| name.parse()).collect::<Result<Vec<RuntimeName>, _>>()?;
    if names.is_empty() {
        names = runtimes.sights().into_keys().collect();
    }
    for name in &names {
        let began = Instant::now();
        runtimes.ensure(name)?;
        while runtimes.status(name) == RuntimeSight::Building {
            std::thread::sleep(Duration::from_millis(100));
        }
        let entry = runtimes.list().into_iter().find(|entry| entry.name == *name).ok_or("not in the catalogue")?;
        println!("{name}: {:?} after {:.1} s", entry.sight, began.elapsed().as_secs_f64());
        if let (Some(build), Some(size), Some(seconds)) = (entry.build, entry.size, entry.seconds) {
            println!("  build {build}, {size}, built in {seconds} s, {:?}", entry.packages);
        }
    }
    runtimes.close();
    Ok(())
}
