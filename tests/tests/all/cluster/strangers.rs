//! What anybody who reaches the coordinator's port may do, by mistake or not: jobs and checks of others go on beside it.

use super::pair::{Pair, wait_for};
use futures::SinkExt;
use futures::channel::mpsc;
use shadowdiff_proto::PROTOCOL;
use shadowdiff_proto::v1::job_service_client::JobServiceClient;
use shadowdiff_proto::v1::worker_service_client::WorkerServiceClient;
use shadowdiff_proto::v1::{
    AttachRequest, AttemptFailed, CheckSpecRequest, Heartbeat, Hello, Ready, Spec, attach_request, attach_response, spec,
};
use shadowdiff_tests::cluster::Cluster;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;

/// What HTTP/2 begins with: the preface, and settings of which there are none.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// What a server says that has read them.
const GREETED: &[u8] = b"\0\0\0\x04\x01\0\0\0\0";

/// Connects from another address of this machine and greets; an error where that is refused.
async fn greet(cluster: &Cluster) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.2:0".parse().expect("an address"))?;
    let mut stream = socket.connect(cluster.address.parse().expect("an address")).await?;
    stream.write_all(GREETING).await?;
    let mut said = Vec::new();
    while !said.windows(GREETED.len()).any(|words| words == GREETED) {
        if stream.read_buf(&mut said).await? == 0 {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
    }
    Ok(stream)
}

#[test]
fn one_address_does_not_take_all_connections_and_those_that_fall_silent_are_let_go() {
    let pair = Pair::new();
    let few_files = ["sh", "-c", "ulimit -n 128 && exec \"$@\"", "sh"].map(String::from);
    let cluster = Cluster::start_within(&few_files, pair.path(), pair.directory());
    Runtime::new().expect("a runtime").block_on(async {
        let (mut inside, mut refused) = (Vec::new(), 0);
        for _ in 0..64 {
            match greet(&cluster).await {
                Ok(stream) => inside.push(stream),
                Err(_) => refused += 1,
            }
        }
        // Of 64 connections 48 are for those that have greeted, and three quarters of these for one address.
        assert_eq!((inside.len(), refused), (36, 28), "{}", cluster.logs());
        let run = cluster.client(&["list"]);
        assert_eq!(run.exit, 0, "{}", run.stderr);
        // They answer no ping.
        for mut stream in inside {
            let ends = tokio::time::timeout(super::PATIENCE, async {
                while stream.read(&mut [0; 64]).await.is_ok_and(|bytes| bytes > 0) {}
            });
            ends.await.expect("a connection that answers nothing is let go");
        }
        greet(&cluster).await.expect("there is room again");
    });
}

/// A server that takes connections and never answers; gives its address and how many it has taken.
fn silent_server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            held.push(stream);
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, taken)
}

fn check(text: String, base: &str) -> CheckSpecRequest {
    CheckSpecRequest {
        spec: Some(Spec {
            content: Some(spec::Content::Text(text)),
            base: base.to_owned(),
            ..Spec::default()
        }),
    }
}

#[test]
fn checks_of_data_whose_server_never_answers_stop_nobody_else() {
    let pair = Pair::new();
    let cluster = Cluster::start(pair.path(), pair.directory(), 1);
    let (server, taken) = silent_server();
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(JobServiceClient::connect(cluster.url())).expect("connects");
    let hanging: Vec<_> = (0..40)
        .map(|_| {
            let text = format!("live: http://{server}/live.csv\nshadow: http://{server}/shadow.csv\naccount: a\n");
            let mut client = client.clone();
            runtime.spawn(async move { client.check_spec(check(text, "")).await })
        })
        .collect();
    wait_for("checks that wait for the server", || taken.load(Ordering::SeqCst) >= 8);
    let text = std::fs::read_to_string(&pair.spec).expect("a spec");
    let base = pair.path().to_string_lossy().into_owned();
    let answer = runtime.block_on(client.clone().check_spec(check(text, &base)));
    let plan = answer
        .unwrap_or_else(|status| panic!("{status}\n{}", cluster.logs()))
        .into_inner()
        .plan;
    assert!(!plan.is_empty());
    pair.run_on(&cluster);
    assert!(
        hanging.iter().all(|check| !check.is_finished()),
        "the server does not answer, so nothing is proved if its checks have ended"
    );
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Attaches a worker that says of each attempt at once that it has failed, with an error of the kind.
async fn attach_one_that_fails(cluster: &Cluster, kind: &'static str, failed: Arc<AtomicUsize>) {
    let mut client = WorkerServiceClient::connect(cluster.url()).await.expect("connects");
    let (mut says, said) = mpsc::channel(64);
    let hello = Hello {
        version: env!("CARGO_PKG_VERSION").into(),
        protocol: PROTOCOL,
        name: format!("fails-{kind}"),
        slots: 4,
        memory_bytes: 1 << 30,
    };
    let say = |message| AttachRequest { message: Some(message) };
    says.send(say(attach_request::Message::Hello(hello))).await.expect("there is room");
    let mut hears = client.attach(said).await.expect("attaches").into_inner();
    says.send(say(attach_request::Message::Ready(Ready {})))
        .await
        .expect("there is room");
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        loop {
            let message = tokio::select! {
                heard = hears.message() => match heard {
                    Ok(Some(message)) => message.message,
                    Ok(None) | Err(_) => return,
                },
                _ = beat.tick() => {
                    let _ = says.try_send(say(attach_request::Message::Heartbeat(Heartbeat::default())));
                    continue;
                }
            };
            if let Some(attach_response::Message::Assign(assign)) = message {
                failed.fetch_add(1, Ordering::SeqCst);
                let answer = attach_request::Message::Failed(AttemptFailed {
                    attempt_id: assign.attempt_id,
                    kind: kind.into(),
                    message: "scratch: No space left on device".into(),
                    mistakes: Vec::new(),
                });
                let _ = says.try_send(say(answer));
            }
        }
    });
}

#[test]
fn a_worker_that_fails_everything_fails_no_job_of_a_good_one() {
    for kind in ["exhausted", "internal", "input"] {
        let pair = Pair::new();
        let cluster = Cluster::start(pair.path(), pair.directory(), 1);
        let (runtime, failed) = (Runtime::new().expect("a runtime"), Arc::new(AtomicUsize::new(0)));
        runtime.block_on(attach_one_that_fails(&cluster, kind, Arc::clone(&failed)));
        for _ in 0..2 {
            pair.run_on(&cluster);
        }
        assert!(failed.load(Ordering::SeqCst) > 0, "it was given nothing to do");
    }
}
