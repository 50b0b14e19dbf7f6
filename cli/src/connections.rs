//! Who may connect: bounds connections by the open files that the process may have, so that stores always find some.
//!
//! ```text
//! accepted -> new: has said nothing yet -> inside: has spoken
//!                  a crowd of these turns     counted in all
//!                  out its oldest             and by address
//! ```
//! A connection that says nothing is let go after a while, and earlier where many come; so whoever speaks at once is heard even beside
//! thousands that are silent. What is inside and stops answering is let go by HTTP/2's pings. Without a file descriptor to accept with, the
//! oldest that has said nothing is let go, and accepting waits a moment rather than trying at full load.

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
const MAX_CONNECTIONS: usize = 4096;
/// Where nobody says how many files may be open.
const USUAL_FILES: usize = 1024;
const WARN_PAUSE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// How many may connect, and how they become known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections that have said nothing yet.
    new: usize,
    /// All others.
    inside: usize,
    /// Of these, from one address.
    of_peer: usize,
    /// A connection that has said so much is inside.
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
pub(crate) struct Door {
    listener: TcpListener,
    house: Arc<House>,
    pause: Duration,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, limits: Limits) -> Door {
        Door {
            listener,
            house: Arc::new(House {
                limits,
                guests: Mutex::default(),
            }),
            pause: FIRST_PAUSE,
        }
    }

    /// The connections as they come.
    pub(crate) fn incoming(self) -> impl Stream<Item = Result<Guest>> {
        unfold(self, |mut door| async move { Some((Ok(door.next().await), door)) })
    }

    async fn next(&mut self) -> Guest {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    // Messages are small, and each is waited for.
                    let _ = stream.set_nodelay(true);
                    return House::receive(&self.house, stream, peer.ip());
                }
                Err(error) => {
                    self.house.turn_out_oldest();
                    self.house.warn(&format!("a connection cannot be accepted: {error}"));
                    sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let guest = self.next().await;
        let address = SocketAddr::new(guest.peer, 0);
        (guest, address)
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Who is connected.
#[derive(Debug)]
struct House {
    limits: Limits,
    guests: Mutex<Guests>,
}

#[derive(Debug, Default)]
struct Guests {
    next: u64,
    /// By their order; what is dropped here turns one out.
    new: BTreeMap<u64, oneshot::Sender<()>>,
    inside: usize,
    inside_of: BTreeMap<IpAddr, usize>,
    warned: Option<Instant>,
}

impl House {
    fn receive(house: &Arc<House>, stream: TcpStream, peer: IpAddr) -> Guest {
        let (stays, turned_out) = oneshot::channel();
        let mut guests = house.guests();
        guests.next += 1;
        let number = guests.next;
        guests.new.insert(number, stays);
        while guests.new.len() > house.limits.new {
            guests.new.pop_first();
        }
        drop(guests);
        Guest {
            stream,
            peer,
            house: Arc::clone(house),
            standing: Standing::New(New {
                number,
                turned_out,
                until: Box::pin(sleep(house.limits.silence)),
                said_bytes: 0,
            }),
        }
    }

    fn turn_out_oldest(&self) {
        self.guests().new.pop_first();
    }

    /// Says so now and again: whoever floods the door must not flood the log.
    fn warn(&self, what: &str) {
        let mut guests = self.guests();
        if guests.warned.is_none_or(|at| at.elapsed() > WARN_PAUSE) {
            guests.warned = Some(Instant::now());
            tracing::warn!("{what}");
        }
    }

    /// Whether one that has spoken finds a place.
    fn let_in(&self, number: u64, peer: IpAddr) -> bool {
        let mut guests = self.guests();
        guests.new.remove(&number);
        let of_peer = guests.inside_of.get(&peer).copied().unwrap_or(0);
        if guests.inside >= self.limits.inside || of_peer >= self.limits.of_peer {
            return false;
        }
        guests.inside += 1;
        guests.inside_of.insert(peer, of_peer + 1);
        true
    }

    fn leave(&self, peer: IpAddr) {
        let mut guests = self.guests();
        guests.inside -= 1;
        if let Some(of_peer) = guests.inside_of.get_mut(&peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                guests.inside_of.remove(&peer);
            }
        }
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that counts as long as it is open.
#[derive(Debug)]
pub(crate) struct Guest {
    stream: TcpStream,
    peer: IpAddr,
    house: Arc<House>,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    New(New),
    Inside,
    /// Counted nowhere any more.
    Gone,
}

#[derive(Debug)]
struct New {
    number: u64,
    turned_out: oneshot::Receiver<()>,
    until: Pin<Box<Sleep>>,
    said_bytes: usize,
}

impl Drop for Guest {
    fn drop(&mut self) {
        match &self.standing {
            Standing::New(new) => {
                self.house.guests().new.remove(&new.number);
            }
            Standing::Inside => self.house.leave(self.peer),
            Standing::Gone => {}
        }
    }
}

impl Guest {
    /// Whether a new one has to go.
    fn poll_stay(&mut self, context: &mut Context<'_>) -> Result<()> {
        let Standing::New(new) = &mut self.standing else { return Ok(()) };
        if Pin::new(&mut new.turned_out).poll(context).is_ready() {
            return Err(Error::new(ErrorKind::ConnectionAborted, "too many connections say nothing"));
        }
        if new.until.as_mut().poll(context).is_ready() {
            return Err(Error::new(ErrorKind::TimedOut, "the connection said nothing"));
        }
        Ok(())
    }

    fn has_said(&mut self, bytes: usize) -> Result<()> {
        let Standing::New(new) = &mut self.standing else { return Ok(()) };
        new.said_bytes += bytes;
        if new.said_bytes < self.house.limits.hello_bytes {
            return Ok(());
        }
        if self.house.let_in(new.number, self.peer) {
            self.standing = Standing::Inside;
            return Ok(());
        }
        self.standing = Standing::Gone;
        self.house
            .warn(&format!("a connection of {} is refused: too many are open", self.peer));
        Err(Error::new(ErrorKind::ConnectionRefused, "too many connections"))
    }
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        self.poll_stay(context)?;
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let bytes = into.filled().len() - before;
        Poll::Ready(self.has_said(bytes))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.poll_stay(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Connected for Guest {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHORT: Duration = Duration::from_millis(300);

    /// Serves each guest by sending back what it says.
    async fn serve(limits: Limits) -> (SocketAddr, Arc<House>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut door = Door::new(listener, limits);
        let house = Arc::clone(&door.house);
        tokio::spawn(async move {
            loop {
                let mut guest = door.next().await;
                tokio::spawn(async move {
                    let mut said = [0; 64];
                    while let Ok(bytes @ 1..) = guest.read(&mut said).await {
                        if guest.write_all(&said[..bytes]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (address, house)
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
        let (address, house) = serve(limits(4, 2, 2)).await;
        let mut silent = Vec::new();
        for number in 0..20 {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            if number % 2 == 0 {
                stream.write_all(b"PRI").await.expect("writes");
            }
            silent.push(stream);
        }
        let first = hello(address).await.expect("is heard");
        assert!(house.guests().new.len() <= 4);
        // All of them are let go after a while.
        for mut stream in silent {
            let mut said = Vec::new();
            let _ = stream.read_to_end(&mut said).await;
        }
        assert!(house.guests().new.is_empty());
        // Who is inside may be silent.
        assert_eq!(house.guests().inside, 1);
        drop(first);
    }

    #[tokio::test]
    async fn those_inside_are_counted_until_they_go() {
        let (address, house) = serve(limits(4, 3, 2)).await;
        let first = hello(address).await.expect("is heard");
        let second = hello(address).await.expect("is heard");
        hello(address).await.expect_err("one address has only two");
        drop(first);
        while house.guests().inside > 1 {
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
