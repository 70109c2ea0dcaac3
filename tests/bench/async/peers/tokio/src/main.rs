//! R9 of suite R for tokio's current_thread runtime: lock and unlock, alone and with a rival.
use std::{sync::Arc, time::Instant};
use tokio::{runtime, sync::Mutex, task};

async fn alone(times: u64) -> f64 {
    let lock = Mutex::new(0u64);
    let start = Instant::now();
    for _ in 0..times {
        *lock.lock().await += 1;
    }
    start.elapsed().as_secs_f64()
}

async fn hold_across_turns(lock: Arc<Mutex<u64>>, times: u64) {
    for _ in 0..times {
        let mut guard = lock.lock().await;
        task::yield_now().await;
        *guard += 1;
    }
}

async fn rivals(times: u64) -> f64 {
    let lock = Arc::new(Mutex::new(0u64));
    let start = Instant::now();
    let tasks: Vec<_> = (0..2)
        .map(|_| tokio::spawn(hold_across_turns(lock.clone(), times / 2)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed().as_secs_f64()
}

async fn r9() {
    let (n, contended) = (5_000_000u64, 1_000_000u64);
    let seconds = alone(n).await;
    let contended_seconds = rivals(contended).await;
    println!(
        "{{\"test\":\"R9\",\"n\":{},\"ns\":{},\"contended_ns\":{}}}",
        n,
        seconds / n as f64 * 1e9,
        contended_seconds / contended as f64 * 1e9
    );
}

fn main() {
    if std::env::args().nth(1).as_deref() != Some("R9") {
        eprintln!("only R9");
        std::process::exit(2);
    }
    runtime::Builder::new_current_thread().build().unwrap().block_on(r9())
}
