//! The example stage in Rust, without bindgen and without crates: it sleeps a little, works on
//! another thread, and answers its input (a JSON string) in upper case.
mod abi;

use abi::*;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicPtr, Ordering};

const ID: &str = "org.example.upper_rust";
const VERSION: &str = "0.1.0";
const NAP: u64 = 1;
const WORK: u64 = 2;

static HOST: AtomicPtr<Host> = AtomicPtr::new(std::ptr::null_mut());

/// The server's table; set before anything else is called, and it outlives the plugin.
fn host() -> &'static Host {
    unsafe { &*HOST.load(Ordering::Relaxed) }
}

/// A panic must not cross the boundary: it would take the server with it.
fn guarded(body: impl FnOnce() -> Status) -> Status {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(E_INTERNAL)
}

/// What an accepted or refused op means for the call.
fn pending(status: Status) -> Status {
    if status < 0 { status } else { PENDING }
}

/// One call, from start() to finish(). Its buffers are given back when it is dropped.
struct Job {
    call: *mut Call,
    input: Buf,
    output: Option<Vec<u8>>,
}

impl Job {
    fn input(&self) -> &[u8] {
        if self.input.len == 0 {
            return &[];
        }
        unsafe { std::slice::from_raw_parts(self.input.ptr, self.input.len) }
    }

    fn answer(&self) -> Status {
        let text = self.output.as_deref().unwrap_or(b"null");
        let mut out = Buf::EMPTY;
        if (host().buf_alloc)(self.call, text.len(), &mut out) < 0 {
            return E_NOMEM;
        }
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), out.ptr, text.len()) };
        let status = (host().emit)(self.call, &out, EMIT_FINAL);
        (host().buf_release)(out.bufref);
        status
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.input.bufref.is_null() {
            (host().buf_release)(self.input.bufref);
        }
    }
}

/// Letters of escapes such as \n stay as they are.
fn upper_case(text: &[u8]) -> Vec<u8> {
    let mut escaped = false;
    text.iter()
        .map(|&c| {
            let out = if escaped { c } else { c.to_ascii_uppercase() };
            escaped = !escaped && c == b'\\';
            out
        })
        .collect()
}

extern "C" fn create(handle: *mut Instance, _config: Str, inst: *mut *mut c_void) -> Status {
    unsafe { *inst = handle };
    OK
}

extern "C" fn destroy(_inst: *mut c_void) {}

extern "C" fn start(
    inst: *mut c_void,
    call: *mut Call,
    request: *const Request,
    state: *mut *mut c_void,
) -> Status {
    guarded(|| {
        let input = unsafe { (*request).input };
        if !input.bufref.is_null() {
            (host().buf_retain)(input.bufref); // kept past start()
        }
        unsafe { *state = Box::into_raw(Box::new(Job { call, input, output: None })).cast() };
        let due = (host().now_ns)(inst) + 3_000_000;
        pending((host().sleep_until)(call, NAP, due, 0))
    })
}

/// On a thread of the server; the loop goes on meanwhile.
extern "C" fn blocking(state: *mut c_void, _token: u64) -> Status {
    guarded(|| {
        let job = unsafe { &mut *state.cast::<Job>() };
        job.output = Some(upper_case(job.input()));
        OK
    })
}

extern "C" fn resume(state: *mut c_void, event: *const Event) -> Status {
    guarded(|| {
        let (job, event) = unsafe { (&*state.cast::<Job>(), &*event) };
        match event.kind {
            EV_TIMER | EV_BLOCKING if event.status < 0 => event.status, // cancelled, or failed
            EV_TIMER => pending((host().offload)(job.call, WORK, 0, 0)),
            EV_BLOCKING => job.answer(),
            _ => PENDING, // a later minor's
        }
    })
}

extern "C" fn finish(state: *mut c_void) {
    let _ = guarded(|| {
        drop(unsafe { Box::from_raw(state.cast::<Job>()) });
        OK
    });
}

static UPPER: Shared<Stage> = Shared(Stage {
    struct_size: std::mem::size_of::<Stage>() as u32,
    flags: STAGE_IDEMPOTENT,
    name: Str::of("upper"),
    summary: Str::of("a text in upper case, after a nap"),
    config_schema: Str::of(r#"{"type":"object","additionalProperties":false}"#),
    input_schema: Str::of(r#"{"type":"string"}"#),
    create,
    destroy,
    start,
    resume,
    finish,
    blocking: Some(blocking),
    instance_event: None,
    instance_blocking: None,
});
static STAGES: Shared<[*const Stage; 1]> = Shared([&UPPER.0]);
static PLUGIN: Shared<Plugin> = Shared(Plugin {
    struct_size: std::mem::size_of::<Plugin>() as u32,
    abi_major: 1,
    abi_minor: 0,
    flags: 0,
    n_stages: 1,
    id: Str::of(ID),
    version: Str::of(VERSION),
    stages: STAGES.0.as_ptr(),
    init: None,
    quiesce: None,
    fini: None,
});

#[used]
#[link_section = ".note.fermata"]
static NOTE: Note = Note::new(ID, VERSION, "rust", 0);

#[no_mangle]
pub extern "C" fn fermata_plugin_v1(table: *const Host) -> *const Plugin {
    let (major, size) = unsafe { ((*table).abi_major, (*table).struct_size as usize) };
    if major != 1 || size < std::mem::size_of::<Host>() {
        return std::ptr::null(); // another host: it would be misread
    }
    HOST.store(table as *mut Host, Ordering::Relaxed);
    &PLUGIN.0
}
