//! fermata_abi.h, major 1 minor 0, as Rust sees it. Field for field; nothing here may be reordered.
//! `layout` holds the sizes that tests/abi/layout_rows.inc holds for C: a slip does not compile.
#![allow(dead_code)]

use std::ffi::c_void;

pub type Status = i32;
pub const OK: Status = 0;
pub const PENDING: Status = 1;
pub const WOULD_BLOCK: Status = 2;
pub const E_CANCELLED: Status = -1;
pub const E_DEADLINE: Status = -2;
pub const E_INVALID: Status = -3;
pub const E_TRANSIENT: Status = -4;
pub const E_UNAVAILABLE: Status = -5;
pub const E_NOMEM: Status = -6;
pub const E_UNSUPPORTED: Status = -7;
pub const E_INTERNAL: Status = -8;

pub const EV_TIMER: u32 = 1;
pub const EV_FD: u32 = 2;
pub const EV_BLOCKING: u32 = 3;
pub const EV_STAGE: u32 = 4;
pub const EV_STAGE_CHUNK: u32 = 5;
pub const EV_CREDIT: u32 = 6;
pub const EV_WAKER: u32 = 7;
pub const EV_WAKE: u32 = 8;

pub const OP_SHIELD: u32 = 1;
pub const EMIT_FINAL: u32 = 1;
pub const STAGE_IDEMPOTENT: u32 = 1;
pub const PLUGIN_ISOLATE: u32 = 2;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub ptr: *const u8,
    pub len: usize,
}
impl Str {
    pub const fn of(text: &'static str) -> Str {
        Str { ptr: text.as_ptr(), len: text.len() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Buf {
    pub ptr: *mut u8,
    pub len: usize,
    pub bufref: *mut c_void,
}
impl Buf {
    pub const EMPTY: Buf = Buf { ptr: std::ptr::null_mut(), len: 0, bufref: std::ptr::null_mut() };
}

pub type Call = c_void;
pub type Instance = c_void;
pub type Waker = c_void;

#[repr(C)]
pub struct Request {
    pub struct_size: u32,
    pub flags: u32,
    pub job_id: Str,
    pub trace_parent: Str,
    pub attempt: u32,
    pub reserved: u32,
    pub deadline_ns: u64,
    pub input: Buf,
    pub checkpoint: Buf,
}

#[repr(C)]
pub struct Event {
    pub struct_size: u32,
    pub kind: u32,
    pub token: u64,
    pub value: u64,
    pub status: Status,
    pub flags: u32,
    pub buf: Buf,
}

#[repr(C)]
pub struct Failure {
    pub struct_size: u32,
    pub code: u32,
    pub message: Str,
    pub retry_after_ns: u64,
}

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub name: Str,
    pub version: Str,
    pub extension: extern "C" fn(Str) -> *const c_void,
    pub now_ns: extern "C" fn(*mut Instance) -> u64,
    pub unix_ns: extern "C" fn(*mut Instance) -> i64,
    pub log: extern "C" fn(*mut Instance, *mut Call, u32, Str, *const c_void, u32),
    pub buf_alloc: extern "C" fn(*mut Call, usize, *mut Buf) -> Status,
    pub buf_retain: extern "C" fn(*mut c_void),
    pub buf_release: extern "C" fn(*mut c_void),
    pub instance_call: extern "C" fn(*mut Instance) -> *mut Call,
    pub sleep_until: extern "C" fn(*mut Call, u64, u64, u32) -> Status,
    pub poll_fd: extern "C" fn(*mut Call, u64, i32, u32, u32) -> Status,
    pub offload: extern "C" fn(*mut Call, u64, u32, u32) -> Status,
    pub call_stage: extern "C" fn(*mut Call, u64, Str, *const Buf, u64, u32) -> Status,
    pub await_credit: extern "C" fn(*mut Call, u64, u32) -> Status,
    pub await_wake: extern "C" fn(*mut Call, u64, u32) -> Status,
    pub wake: extern "C" fn(*mut Call, u64, u64) -> Status,
    pub cancel_op: extern "C" fn(*mut Call, u64) -> Status,
    pub waker_new: extern "C" fn(*mut Call, u64, u32, *mut *mut Waker) -> Status,
    pub waker_fire: extern "C" fn(*mut Waker, u64) -> Status,
    pub waker_drop: extern "C" fn(*mut Waker) -> Status,
    pub emit: extern "C" fn(*mut Call, *const Buf, u32) -> Status,
    pub progress: extern "C" fn(*mut Call, f64, Str),
    pub fail_detail: extern "C" fn(*mut Call, *const Failure),
    pub is_cancelled: extern "C" fn(*mut Call) -> u32,
    pub metric_define: extern "C" fn(*mut Instance, *const c_void, *mut u32) -> Status,
    pub metric_update: extern "C" fn(*mut Instance, u32, f64, *const Str, u32) -> Status,
}

#[repr(C)]
pub struct Stage {
    pub struct_size: u32,
    pub flags: u32,
    pub name: Str,
    pub summary: Str,
    pub config_schema: Str,
    pub input_schema: Str,
    pub create: extern "C" fn(*mut Instance, Str, *mut *mut c_void) -> Status,
    pub destroy: extern "C" fn(*mut c_void),
    pub start: extern "C" fn(*mut c_void, *mut Call, *const Request, *mut *mut c_void) -> Status,
    pub resume: extern "C" fn(*mut c_void, *const Event) -> Status,
    pub finish: extern "C" fn(*mut c_void),
    pub blocking: Option<extern "C" fn(*mut c_void, u64) -> Status>,
    pub instance_event: Option<extern "C" fn(*mut c_void, *const Event)>,
    pub instance_blocking: Option<extern "C" fn(*mut c_void, u64) -> Status>,
}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub flags: u32,
    pub n_stages: u32,
    pub id: Str,
    pub version: Str,
    pub stages: *const *const Stage,
    pub init: Option<extern "C" fn() -> Status>,
    pub quiesce: Option<extern "C" fn()>,
    pub fini: Option<extern "C" fn()>,
}

#[repr(C, align(4))]
pub struct Note {
    pub namesz: u32,
    pub descsz: u32,
    pub kind: u32,
    pub name: [u8; 8],
    pub abi_major: u16,
    pub abi_minor: u16,
    pub min_host_minor: u16,
    pub flags: u16,
    pub id: [u8; 64],
    pub version: [u8; 32],
    pub sdk: [u8; 32],
}

const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    assert!(bytes.len() < N, "too long for the note");
    let mut out = [0; N];
    let mut i = 0;
    while i < bytes.len() {
        out[i] = bytes[i];
        i += 1;
    }
    out
}

impl Note {
    pub const fn new(id: &str, version: &str, sdk: &str, flags: u16) -> Note {
        Note {
            namesz: 8,
            descsz: std::mem::size_of::<Note>() as u32 - 20,
            kind: 0x464D_5431,
            name: *b"fermata\0",
            abi_major: 1,
            abi_minor: 0,
            min_host_minor: 0,
            flags,
            id: padded(id),
            version: padded(version),
            sdk: padded(sdk),
        }
    }
}

/// Descriptors are immutable and shared by all threads.
pub struct Shared<T>(pub T);
unsafe impl<T> Sync for Shared<T> {}

mod layout {
    use super::*;
    use std::mem::size_of;
    const _: () = assert!(size_of::<Str>() == 16 && size_of::<Buf>() == 24);
    const _: () = assert!(size_of::<Request>() == 104 && size_of::<Event>() == 56);
    const _: () = assert!(size_of::<Host>() == 240 && size_of::<Stage>() == 136);
    const _: () = assert!(size_of::<Plugin>() == 80 && size_of::<Note>() == 156);
    const _: () = assert!(size_of::<Failure>() == 32);
}
