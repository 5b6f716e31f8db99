"""Names that the static rules look for: dotted paths in Python, expressions in embedded C++."""

from __future__ import annotations

import re
from collections.abc import Mapping

_USES = {
    "dynamic-code": """
        builtins.exec builtins.eval builtins.compile marshal.load marshal.loads pickle.load
        pickle.loads dill cloudpickle base64.b16decode base64.b32decode base64.b64decode
        base64.b85decode base64.a85decode base64.decodebytes base64.standard_b64decode
        base64.urlsafe_b64decode binascii codecs.decode zlib.decompress lzma.decompress
        bz2.decompress gzip.decompress builtins.bytes.fromhex builtins.bytearray.fromhex
        types.CodeType types.FunctionType runpy mmap.PROT_EXEC
        importlib.machinery.SourceFileLoader importlib.machinery.SourcelessFileLoader
    """,
    "frame-walk": """
        sys._getframe sys._current_frames sys.settrace sys.setprofile inspect.stack inspect.trace
        inspect.currentframe inspect.getouterframes inspect.getinnerframes gc.get_objects
        gc.get_referrers gc.get_referents traceback.walk_stack traceback.walk_tb
        traceback.extract_stack threading.settrace threading.setprofile __main__ sys.modules.values
        sys.modules.items sys.modules.copy
    """,
    "process-or-thread": """
        threading.Thread threading.Timer _thread multiprocessing concurrent.futures asyncio
        torch.multiprocessing torch.jit.fork torch.jit._fork torch.futures os.fork os.forkpty
        os.setsid os.setpgid pty joblib
    """,
    "file-or-network": """
        socket socketserver urllib.request requests http.client http.server httpx aiohttp ftplib
        smtplib xmlrpc paramiko huggingface_hub torch.hub torch.load torch.from_file
        torch.utils.model_zoo torch.distributed numpy.load numpy.loadtxt numpy.fromfile
        numpy.memmap sqlite3 shelve dbm os.memfd_create os.dup os.dup2 os.mkfifo os.pwrite
        os.sendfile
    """,
    "lazy-tensor": """
        torch.Tensor._make_wrapper_subclass torch._subclasses torch._lazy
        torch.overrides.TorchFunctionMode torch.utils._python_dispatch.TorchDispatchMode
    """,
    "reference-class": "reference kernelwright kernelbench",
    "torch-compile": """
        torch.compile torch.jit.script torch.jit.trace torch.jit.freeze
        torch.jit.optimize_for_inference torch._inductor torch._dynamo torch.export
        torch.utils.mkldnn
    """,
    "precision-cast": """
        torch.autocast torch.set_autocast_enabled torch.set_autocast_dtype torch.amp.autocast
        torch.cpu.amp torch.cuda.amp torch.quantization torch.ao.quantization
        torch.quantize_per_tensor torch.quantize_per_channel torch.quantize_per_tensor_dynamic
    """,
    "thread-count": """
        torch.set_num_threads torch.set_num_interop_threads os.sched_setaffinity os.nice
        os.setpriority os.sched_setscheduler threadpoolctl mkl.set_num_threads
    """,
    "exit-call": """
        sys.exit os._exit os.abort os.kill os.killpg builtins.exit builtins.quit
        builtins.SystemExit builtins.KeyboardInterrupt signal.signal signal.alarm signal.setitimer
        signal.raise_signal signal.pthread_kill signal.pthread_sigmask atexit.register
    """,
    "guard-evasion": "ctypes.pythonapi ctypes.PyDLL ctypes.pydll",
    "random-state": "torch.initial_seed torch.default_generator",
}
USES: Mapping[str, tuple[str, ...]] = {rule: tuple(text.split()) for rule, text in _USES.items()}
"""Rule -> what must not be mentioned: these, and everything below them."""

RANDOM_STATE = tuple(
    """
    torch.manual_seed torch.seed torch.get_rng_state torch.set_rng_state torch.random random.seed
    random.setstate numpy.random.seed numpy.random.set_state torch.cuda.manual_seed
    """.split()
)
"""The same inside `forward` only: before it, a seed is how weights are made."""

SNIFFED = tuple(
    """
    torch.is_grad_enabled torch.is_inference_mode_enabled torch.is_inference
    torch.autograd._profiler_enabled torch.cuda.is_current_stream_capturing os.environ os.getenv
    os.getpid os.getppid os.times sys.argv sys.gettrace sys.getprofile sys.modules time inspect
    resource.getrusage threading.active_count
    """.split()
)
"""Names that tell a check from a timing."""

BUILD_VARIABLES = frozenset(
    """
    CC CXX CFLAGS CXXFLAGS LDFLAGS CUDA_HOME TORCH_EXTENSIONS_DIR TORCHINDUCTOR_CACHE_DIR HOME
    TMPDIR XDG_CACHE_HOME MAX_JOBS OMP_NUM_THREADS
    """.split()
)

OPERATORS = frozenset(
    """
    matmul mm bmm addmm baddbmm addbmm addmv addr mv dot vdot inner outer einsum tensordot
    chain_matmul conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution
    softmax log_softmax layer_norm batch_norm group_norm instance_norm rms_norm native_layer_norm
    native_batch_norm relu sigmoid tanh gelu silu erf exp log sqrt rsqrt pow mean sum prod std var
    norm amax amin max min argmax argmin logsumexp cumsum cumprod cummax cummin topk sort argsort
    kthvalue median quantile cross_entropy_loss embedding bucketize searchsorted unique histc
    bincount scatter_add index_add gather scatter cdist cosine_similarity lstm gru rnn_tanh
    max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
    adaptive_avg_pool2d dropout lerp addcmul addcdiv clamp where
    """.split()
)
"""Functions of torch and at:: that do the work of a whole task."""
WORK_METHODS = frozenset(
    "matmul mm bmm addmm softmax log_softmax logsumexp cumsum cumprod topk einsum baddbmm".split()
)
"""The same as methods, where the name can't be anything else's."""
WORK_PACKAGES = (
    "torch.nn.functional",
    "torch.linalg",
    "torch.fft",
    "torch.special",
    "torch.ops.aten",
    "torch.ops.mkldnn",
    "torch._C._nn",
)

_POINTER = r"(?:(?:const\s+)?(?:\w+::)?\w+(?:\s+const)?\s*\*|(?:std::)?u?intptr_t)"
CPP: Mapping[str, re.Pattern[str]] = {
    rule: re.compile(pattern, re.VERBOSE)
    for rule, pattern in {
        "monkeypatch": r"""\bPyObject_SetAttr\w*\s*\(|\bPyDict_SetItem\w*\s*\(|\bpy::setattr\s*\(
            |\bTORCH_LIBRARY_IMPL\s*\(\s*aten\b|\.attr\s*\([^()]{0,80}\)\s*=(?!=)""",
        "dynamic-code": r"\bPyRun_\w+\s*\(|\bPy_CompileString\w*\s*\(|\bpy::(?:exec|eval)\w*\s*[(<]"
        r"|\bdlopen\s*\(|\bdlsym\s*\(|\bPROT_EXEC\b",
        "frame-walk": r"\bPyEval_GetFrame\b|\bPyThreadState_GetFrame\b|\bPyGC_\w+\s*\(",
        "process-or-thread": r"""\bstd::j?thread\b(?!\s*::)|\bstd::async\b|\bpthread_create\b
            |\bthrd_create\b|(?<![\w.>])v?fork\s*\(\s*\)|\bsetsid\s*\(|\bdaemon\s*\(|\bclone3?\s*\(\s*[&\w]+,
            |(?<![\w.>])popen\s*\(|(?<![\w.>])system\s*\(|\bexec(?:l|lp|le|v|vp|ve|vpe)\s*\(
            |\bposix_spawnp?\s*\(|\bat::launch\s*\(|\btbb::""",
        "file-or-network": r"""\bfopen\s*\(|\bstd::[oi]?fstream\b|(?<![\w.>])(?:::)?open(?:at)?\s*\(
            |(?<![\w.>])socket\s*\(|(?<![\w.>])connect\s*\(|\bptrace\s*\(|\bprocess_vm_\w+\s*\(
            |\bshm_open\s*\(|\bmemfd_create\s*\(|\bdup2\s*\(|(?<![\w.>:])send(?:msg|to)\s*\(""",
        "memo-by-address": rf"\bstd::(?:unordered_)?(?:map|set)\s*<\s*{_POINTER}\s*[,>]"
        rf"|\bstd::(?:unordered_)?map\s*<\s*std::(?:pair|tuple)\s*<\s*{_POINTER}\s*[,>]",
        "silent-fallback": r"\bcatch\s*\([^()]{0,80}\)\s*\{[^{}]{0,400}\b(?:at|torch)::\w+\s*\(",
        "library-call": rf"""\b(?:at|torch|at::native)::(?:{"|".join(sorted(OPERATORS))})_?\s*\(
            |\b(?:at|torch)::(?:linear|linalg_\w+|nn::functional::\w+|scaled_dot_product_attention)\s*\(
            |\.(?:{"|".join(sorted(WORK_METHODS))})\s*\(|\bcblas_\w+\s*\(|\bdnnl(?:::|_\w+\s*\()
            |\bs?dgemm_?\s*\(|\bsgemm_?\s*\(|\bvs[A-Z]\w+\s*\(|\bcu(?:blas|dnn)\w+\s*\(""",
        "precision-cast": r"""\b(?:_Float16|__fp16|__bf16|__half|__nv_bfloat16|b?float16_t)\b
            |\b(?:c10|at|torch)::(?:Half|BFloat16|kHalf|kBFloat16|Float8_\w+)\b|\b_mm\d*_cvtps_ph\b
            |\b_mm\d*_\w*dpbf16_ps\b|\b_mm\d*_cvtne2?ps\w*_pbh\b|\bkHalf\b|\bkBFloat16\b""",
        "thread-count": r"\bomp_set_num_threads\b|\bomp_set_dynamic\b|\bsched_setaffinity\b"
        r"|\bpthread_setaffinity_np\b|\bmkl_set_num_threads\b|\bat::set_num_threads\b"
        r"|\bsetpriority\s*\(",
        "exit-call": r"(?<![\w.>])(?:std::)?(?:_?exit|_Exit|quick_exit|raise|kill|atexit|alarm)"
        r"\s*\("
        r"|\bsigaction\s*\(|(?<![\w.>])(?:std::)?signal\s*\(|\bsetitimer\s*\(",
        "guard-evasion": r"""\b__(?:asan|ubsan|lsan|msan|tsan|sanitizer)_\w+|\bno_sanitize\w*\b
            |\bASAN_(?:UN)?POISON\w*|\bmadvise\s*\((?![^;]{0,200}MADV_HUGEPAGE)|\b(?:pkey_)?mprotect\s*\(
            |\bmremap\s*\(|\b__attribute__\s*\(\s*\(\s*constructor|\bRTLD_NEXT\b|\bsetenv\s*\(|\bputenv\s*\(""",
    }.items()
}
"""Rule -> what must not stand in C++ outside comments and strings."""

CPP_TEXT: Mapping[str, re.Pattern[str]] = {
    "file-or-network": re.compile(r"/proc(?:/(?!cpuinfo|meminfo|stat\b)|$)|/dev/(?:shm|mem)\b"),
    "guard-evasion": re.compile(r"\bLD_PRELOAD\b|\b[AUL]B?SAN_OPTIONS\b|-fno-sanitize"),
    "reference-class": re.compile(r"\bkernelwright\b"),
    "phase-sniffing": re.compile(rf'\bgetenv\s*\(\s*"(?!(?:{"|".join(sorted(BUILD_VARIABLES))})")'),
}
"""Rule -> the same with string literals: what they say matters here. Short Python strings too."""

COMPILERS = re.compile(
    r"(?:.*/)?(?:[\w.]+-)*(?:g\+\+|gcc|c\+\+|cc|clang|clang\+\+|nvcc|hipcc|icx|icpx|icc|icpc|ld|ar|as|"
    r"nm|objdump|cmake|make|ninja|lscpu|uname|nproc|getconf|ldconfig|ccache)(?:-\d+)?"
)
"""Programs that build, or only say what the machine is."""
