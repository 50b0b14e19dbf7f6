//! Who may connect: bounds connections by the open files that the process may have, so that stores always find some.
//!
//! ```text
//! accepted -> new: has sent nothing yet -> inside: has spoken
//!                  a crowd of these turns     counted in all
//!                  out its oldest             and by address
//! ```
//! A connection that says nothing is let go after a while, and earlier where many come; so whoever speaks at once is heard even beside
//! thousands that are silent. What is inside and stops answering is let go by HTTP/2's pings. Without a file descriptor to accept with, the
//! oldest that has sent nothing is let go, and accepting waits a moment rather than trying at full load.

use axum::serve::Listener;
use futures::stream::{Stream, unfold};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How often a connection is pinged, and how long it has for an answer.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// What HTTP/2 begins with.
const PREFACE_BYTES: usize = 24;
/// How long a connection may say nothing.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a page of metrics may take to be asked for and read.
const PAGE_TIME: Duration = Duration::from_secs(30);
/// More than a cluster has workers and clients, however many files may be open.
const MAX_CONNECTIONS: usize = 4096;
/// Where nobody says how many files may be open.
const USUAL_FILES: usize = 1024;
/// Between two warnings of one kind.
const WARN_PAUSE: Duration = Duration::from_secs(10);
/// How long accepting waits after a failure, twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// No pause is longer.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// How many may connect, and how they become known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections that have sent nothing yet.
    new: usize,
    /// All others.
    inside: usize,
    /// Of these, from one address.
    of_peer: usize,
    /// A connection that has sent so much is inside.
    hello_bytes: usize,
    silence: Duration,
}

impl Limits {
    /// For a service over HTTP/2: half of the files that may be open.
    pub(crate) fn of_service() -> Limits {
        let all = (open_files() / 2).clamp(16, MAX_CONNECTIONS);
        let (new, inside) = (all / 4, all - all / 4);
        Limits {
            new,
            inside,
            of_peer: inside * 3 / 4,
            hello_bytes: PREFACE_BYTES,
            silence: SILENCE,
        }
    }

    /// For the health of a worker, which few ask for.
    pub(crate) fn of_health() -> Limits {
        Limits {
            new: 16,
            inside: 32,
            of_peer: 32,
            hello_bytes: PREFACE_BYTES,
            silence: SILENCE,
        }
    }

    /// For small pages over HTTP/1: every connection ends soon.
    pub(crate) fn of_page() -> Limits {
        Limits {
            new: 16,
            inside: 0,
            of_peer: 0,
            hello_bytes: usize::MAX,
            silence: PAGE_TIME,
        }
    }
}

/// The soft limit of open files.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|rest| rest.split_whitespace().next());
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(USUAL_FILES)
}

/// A listener that keeps to limits.
#[derive(Debug)]
pub(crate) struct BoundedListener {
    listener: TcpListener,
    connections: Arc<Connections>,
    pause: Duration,
}

impl BoundedListener {
    pub(crate) fn new(listener: TcpListener, limits: Limits) -> BoundedListener {
        BoundedListener {
            listener,
            connections: Arc::new(Connections {
                limits,
                open: Mutex::default(),
            }),
            pause: FIRST_PAUSE,
        }
    }

    /// The connections as they come.
    pub(crate) fn incoming(self) -> impl Stream<Item = Result<Connection>> {
        unfold(self, |mut listener| async move { Some((Ok(listener.next().await), listener)) })
    }

    async fn next(&mut self) -> Connection {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    // Messages are small, and each is waited for.
                    let _ = stream.set_nodelay(true);
                    return Connections::receive(&self.connections, stream, peer.ip());
                }
                Err(error) => {
                    self.connections.close_oldest();
                    self.connections.warn(&format!("a connection cannot be accepted: {error}"));
                    sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }
}

impl Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let connection = self.next().await;
        let address = SocketAddr::new(connection.peer, 0);
        (connection, address)
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Who is connected.
#[derive(Debug)]
struct Connections {
    limits: Limits,
    open: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next: u64,
    /// By their order; what is dropped here turns one out.
    new: BTreeMap<u64, oneshot::Sender<()>>,
    inside: usize,
    inside_of: BTreeMap<IpAddr, usize>,
    warned: Option<Instant>,
}

impl Connections {
    fn receive(connections: &Arc<Connections>, stream: TcpStream, peer: IpAddr) -> Connection {
        let (stays, closed) = oneshot::channel();
        let mut open = connections.open();
        open.next += 1;
        let number = open.next;
        open.new.insert(number, stays);
        while open.new.len() > connections.limits.new {
            open.new.pop_first();
        }
        drop(open);
        Connection {
            stream,
            peer,
            connections: Arc::clone(connections),
            state: ConnectionState::New(New {
                number,
                closed,
                until: Box::pin(sleep(connections.limits.silence)),
                received_bytes: 0,
            }),
        }
    }

    fn close_oldest(&self) {
        self.open().new.pop_first();
    }

    /// Says so now and again: a flood of connections must not flood the log.
    fn warn(&self, what: &str) {
        let mut open = self.open();
        if open.warned.is_none_or(|at| at.elapsed() > WARN_PAUSE) {
            open.warned = Some(Instant::now());
            tracing::warn!("{what}");
        }
    }

    /// Whether one that has spoken finds a place.
    fn admit(&self, number: u64, peer: IpAddr) -> bool {
        let mut open = self.open();
        open.new.remove(&number);
        let of_peer = open.inside_of.get(&peer).copied().unwrap_or(0);
        if open.inside >= self.limits.inside || of_peer >= self.limits.of_peer {
            return false;
        }
        open.inside += 1;
        open.inside_of.insert(peer, of_peer + 1);
        true
    }

    fn leave(&self, peer: IpAddr) {
        let mut open = self.open();
        open.inside -= 1;
        if let Some(of_peer) = open.inside_of.get_mut(&peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                open.inside_of.remove(&peer);
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that counts as long as it is open.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    peer: IpAddr,
    connections: Arc<Connections>,
    state: ConnectionState,
}

#[derive(Debug)]
enum ConnectionState {
    New(New),
    Inside,
    /// Counted nowhere any more.
    Gone,
}

#[derive(Debug)]
struct New {
    number: u64,
    closed: oneshot::Receiver<()>,
    until: Pin<Box<Sleep>>,
    received_bytes: usize,
}

impl Drop for Connection {
    fn drop(&mut self) {
        match &self.state {
            ConnectionState::New(new) => {
                self.connections.open().new.remove(&new.number);
            }
            ConnectionState::Inside => self.connections.leave(self.peer),
            ConnectionState::Gone => {}
        }
    }
}

impl Connection {
    /// Whether a new one has to go.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Result<()> {
        let ConnectionState::New(new) = &mut self.state else {
            return Ok(());
        };
        if Pin::new(&mut new.closed).poll(context).is_ready() {
            return Err(Error::new(ErrorKind::ConnectionAborted, "too many connections say nothing"));
        }
        if new.until.as_mut().poll(context).is_ready() {
            return Err(Error::new(ErrorKind::TimedOut, "the connection sent nothing"));
        }
        Ok(())
    }

    fn received(&mut self, bytes: usize) -> Result<()> {
        let ConnectionState::New(new) = &mut self.state else {
            return Ok(());
        };
        new.received_bytes += bytes;
        if new.received_bytes < self.connections.limits.hello_bytes {
            return Ok(());
        }
        if self.connections.admit(new.number, self.peer) {
            self.state = ConnectionState::Inside;
            return Ok(());
        }
        self.state = ConnectionState::Gone;
        self.connections
            .warn(&format!("a connection of {} is refused: too many are open", self.peer));
        Err(Error::new(ErrorKind::ConnectionRefused, "too many connections"))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        self.poll_open(context)?;
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let bytes = into.filled().len() - before;
        Poll::Ready(self.received(bytes))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.poll_open(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test sees its own panics")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(300);

    /// Serves each connection by sending back what it says.
    async fn serve(limits: Limits) -> (SocketAddr, Arc<Connections>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut listener = BoundedListener::new(listener, limits);
        let connections = Arc::clone(&listener.connections);
        tokio::spawn(async move {
            loop {
                let mut connection = listener.next().await;
                tokio::spawn(async move {
                    let mut sent = [0; 64];
                    while let Ok(bytes @ 1..) = connection.read(&mut sent).await {
                        if connection.write_all(&sent[..bytes]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (address, connections)
    }

    fn limits(new: usize, inside: usize, of_peer: usize) -> Limits {
        Limits {
            new,
            inside,
            of_peer,
            hello_bytes: 5,
            silence: SHORT,
        }
    }

    async fn hello(address: SocketAddr) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"hello").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"hello");
        Ok(stream)
    }

    #[tokio::test]
    async fn who_speaks_is_heard_beside_a_crowd_that_is_silent() {
        let (address, connections) = serve(limits(4, 2, 2)).await;
        let mut silent = Vec::new();
        for number in 0..20 {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            if number % 2 == 0 {
                stream.write_all(b"PRI").await.expect("writes");
            }
            silent.push(stream);
        }
        let first = hello(address).await.expect("is heard");
        assert!(connections.open().new.len() <= 4);
        // All of them are let go after a while.
        for mut stream in silent {
            let mut sent = Vec::new();
            let _ = stream.read_to_end(&mut sent).await;
        }
        assert!(connections.open().new.is_empty());
        // Who is inside may be silent.
        assert_eq!(connections.open().inside, 1);
        drop(first);
    }

    #[tokio::test]
    async fn those_inside_are_counted_until_they_go() {
        let (address, connections) = serve(limits(4, 3, 2)).await;
        let first = hello(address).await.expect("is heard");
        let second = hello(address).await.expect("is heard");
        hello(address).await.expect_err("one address has only two");
        drop(first);
        while connections.open().inside > 1 {
            tokio::task::yield_now().await;
        }
        hello(address).await.expect("there is room again");
        drop(second);
    }

    #[test]
    fn limits_leave_files_for_stores() {
        let limits = Limits::of_service();
        assert!(limits.new + limits.inside <= (open_files() / 2).max(16));
        assert!(limits.of_peer < limits.inside);
    }
}
