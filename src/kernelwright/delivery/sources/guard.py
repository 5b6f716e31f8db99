except Exception as error:  # no compiler, another torch: every call runs the original forward
    IMPLEMENTATION = error
else:
    IMPLEMENTATION = FastModel


# -- the guard: the fast path inside the scope, the original forward everywhere else ---------------

GUARD_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype)
GUARD_DESCRIBED = (complex, bytes, range, torch.dtype, torch.device, torch.Size)
GUARD_GRADIENTS = "gradients are wanted (torch.inference_mode() says that they are not)"
GUARD_REPLACED = "a parameter, buffer or attribute was replaced"
GUARD_SHAPES = 1000
GUARD_ALIGNED = 64
guard_forks = []  # compilers' helpers and threads don't live on in a forked process
os.register_at_fork(after_in_child=lambda: guard_forks.append(os.getpid()))
# Names of the file are found faster than those of torch, and a call looks at all of these.
guard_is_tracing = torch._C._is_tracing
guard_is_transformed = getattr(torch._C, "_are_functorch_transforms_active", bool)
guard_is_autocast = torch.is_autocast_enabled
guard_has_gradients = torch.is_grad_enabled
guard_default_dtype = torch.get_default_dtype
guard_function_modes = torch._C._len_torch_function_stack
guard_dispatch_modes = torch._C._len_torch_dispatch_stack
guard_classes = {}  # of this file, as they were when it was imported
guard_steps = [0]  # fused optimizers write to parameters without a trace


def guard_count_step(*_):
    guard_steps[0] += 1


register_optimizer_step_post_hook(guard_count_step)


class Guarded:
    """A module that takes its fast path inside the scope of its proof.

    Everywhere else it runs the original forward. `fallbacks` counts those calls by reason, and the
    first of each warns. What torch traces or transforms (torch.compile, torch.func) isn't counted.
    """

    scope = {}
    implementation = None
    fallbacks = collections.Counter()
    _guard = (None, None, None, None)

    def __init_subclass__(cls):
        if "scope" in vars(cls):
            signature = inspect.signature(super(Guarded, cls).forward)
            Guarded.forward.__signature__ = signature
            Guarded._guard_given = len(cls.scope["families"][0]["arguments"])
            kinds = [one for one in globals().values() if isinstance(one, type)]
            for kind in (*(one for one in kinds if one.__module__ == __name__), cls):
                guard_classes[kind] = guard_code(kind)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        init = super().__init__
        made = guard_bound(init, args, kwargs)
        judged = [guard_bound(init, family["constructor"], {}) for family in self.scope["families"]]
        vars(self)["_guard_families"] = [i for i, one in enumerate(judged) if guard_same(one, made)]
        vars(self)["_guard_shadows"] = guard_shadows(self)
        families = [self.scope["families"][index] for index in self._guard_families]
        parts = dict(self.named_modules())
        vars(self)["_guard_made"] = {
            (path, name): (value := vars(parts[path]).get(name), guard_content(value))
            for family in families
            for path, names in family["opaque"].items()
            for name in names
            if path in parts
        }

    def forward(self, *args, **kwargs):
        if (
            torch.compiler.is_dynamo_compiling()
            or guard_is_tracing()
            or guard_is_transformed()
            or forward_ad._current_level >= 0
        ):
            return super().forward(*args, **kwargs)
        given = args
        if kwargs or len(args) != self._guard_given:
            given = guard_arranged(super().forward, args, kwargs, self._guard_given)
        owner, steps, outside, fast = self._guard
        if owner is not self:  # also in a replica, which shares this one's dictionary
            owner, steps, outside, fast = self._guard_prepare()
        reason = "other arguments are given" if given is None else outside(given)
        if reason is GUARD_REPLACED or reason is None and steps != guard_steps[0]:
            # A new fast path, which has kept nothing of what the old values gave.
            owner, steps, outside, fast = self._guard_prepare()
            reason = outside(given)
        if reason is None:
            return fast(*given)
        self._guard_count(reason, args)
        return super().forward(*args, **kwargs)

    def refresh(self):
        """Drop all that the fast path has prepared from the parameters.

        Needed after writes that leave no trace: through `.data`, or a numpy view of a parameter.
        """
        vars(self).pop("_guard", None)

    def _apply(self, *args, **kwargs):
        self.refresh()
        return super()._apply(*args, **kwargs)

    def __getstate__(self):
        inherited = getattr(super(), "__getstate__", None)
        state = inherited() if inherited else vars(self)
        return {name: value for name, value in state.items() if name != "_guard"}

    def _guard_prepare(self):
        vars(self)["_guard"] = Guarded._guard
        try:
            if isinstance(self.implementation, Exception):
                raise self.implementation
            families = [self.scope["families"][index] for index in self._guard_families]
            if not families:
                raise ValueError("the constructor's arguments are outside the scope")
            outside = guard_watch(self, self.scope, families)
            fast = guard_implement(self, self.implementation, families[0]["constructor"])
            vars(self)["_guard"] = self, guard_steps[0], outside, self._guard_tried(fast)
        except Exception as error:
            self._guard_give_up(error)
        return self._guard

    def _guard_tried(self, fast):
        """Return the fast path, given up if its first call fails and the original's doesn't."""
        buffers = list(self.buffers())
        values = [buffer.clone() for buffer in buffers]

        def first(*given):
            try:
                result = fast.forward(*given)
            except Exception as error:
                with torch.no_grad():
                    for buffer, value in zip(buffers, values):
                        buffer.copy_(value)
                result = super(Guarded, self).forward(*given)
                self._guard_count(self._guard_give_up(error), given)
                return result
            values.clear()
            vars(self)["_guard"] = *self._guard[:3], fast.forward
            return result

        return first

    def _guard_give_up(self, error):
        reason = f"there is no fast path here: {type(error).__name__}: {error}"
        vars(self)["_guard"] = self, guard_steps[0], lambda given: reason, None
        return reason

    def _guard_count(self, reason, args):
        self.fallbacks[reason] += 1
        if self.fallbacks[reason] == 1:
            called = ", ".join(map(guard_described, args))
            text = f"the original forward runs: {reason}; called with ({called})"
            warnings.warn(text, RuntimeWarning, stacklevel=5)


def guard_shadows(module):
    """Return the attributes of each submodule that stand before those of its class, by path."""
    own = {*vars(torch.nn.Module), "training", "_guard"} - {"forward"}
    return {
        path: sorted(name for name in vars(part) if name not in own and hasattr(type(part), name))
        for path, part in module.named_modules()
    }


def guard_require_own_code(module):
    """Raise where attributes or a subclass replace what the class defines."""
    if guard_shadows(module) != module._guard_shadows:
        raise ValueError("an attribute replaces what its class defines")
    for part in module.modules():
        for kind in type(part).__mro__:
            if kind in guard_classes and guard_code(kind) != guard_classes[kind]:
                raise ValueError(f"the class {kind.__name__} was changed")
    defined = set(dir(Model)) - set(dir(torch.nn.Module))
    for kind in type(module).__mro__:
        if "scope" in vars(kind):
            return
        if replaced := sorted(defined & set(vars(kind))):
            raise ValueError(f"a subclass replaces {', '.join(replaced)}")


def guard_code(kind):
    """Return the methods and attributes that a class defines by itself."""
    own = {k: v for k, v in vars(kind).items() if not k.startswith("__") or k == "__call__"}
    own.pop("fallbacks", None)
    return own


def guard_implement(module, implementation, constructor):
    """Return an object whose forward is the fast path; it shares the module's parameters."""
    if implementation.__init__ is Model.__init__:
        fast = implementation.__new__(implementation)
        vars(fast).update({k: v for k, v in vars(module).items() if k != "_guard"})
        return fast
    with torch.random.fork_rng(devices=[]):
        fast = implementation(*constructor)
    for tensor in (*module.parameters(), *module.buffers()):
        fast.to(tensor.device)
        break
    parts = dict(module.named_modules())
    for path, part in fast.named_modules():
        theirs = vars(parts[path]) if path in parts else {"_parameters": {}, "_buffers": {}}
        own = vars(part)
        if not own["_parameters"].keys() <= theirs["_parameters"].keys():
            raise TypeError(f"the fast path has other parameters {list(own['_parameters'])} {path}")
        if path in parts:
            own["_parameters"] = theirs["_parameters"]
        if own["_buffers"].keys() <= theirs["_buffers"].keys():
            own["_buffers"] = theirs["_buffers"]
        elif own["_buffers"].keys() & theirs["_buffers"].keys():
            raise TypeError(f"the fast path has other buffers: {path} {list(own['_buffers'])}")
    return fast


def guard_watch(module, scope, families):
    """Return a function of the arguments that says why they are outside the scope, or None."""
    guard_require_own_code(module)
    judged = families[0]
    parts = dict(module.named_modules())
    kinds = [(path, guard_kind(part)) for path, part in parts.items() if path]
    if kinds != list(judged["modules"].items()):
        raise ValueError("its submodules are not those that were judged")
    children = [(vars(p), p._modules, [*p._modules.items()]) for p in parts.values()]
    children = [one for one in children if one[1]]
    hooks = []
    for path, part in parts.items():
        if path:  # torch calls the hooks of the outermost module itself
            hooks += [part._forward_hooks, part._forward_pre_hooks]
        if not part._modules:
            hooks.append(part._modules)
    hooks = tuple(hooks)
    numbers = [
        (vars(parts[path]), name, value)
        for path, own in judged["attributes"].items()
        for name, value in own.items()
    ]
    for path, own in judged["described"].items():
        for name, text in own.items():
            if guard_text(vars(parts[path]).get(name)) != text:
                raise ValueError(f"{name} is not {text[:80]}")
    for (path, name), (value, content) in module._guard_made.items():
        now = vars(parts[path]).get(name) if path in parts else value
        if now is not value or guard_content(now) != content:
            raise ValueError(f"{name} is not what the constructor made")
    objects = [
        (vars(parts[path]), name, vars(parts[path]).get(name))
        for known in (judged["described"], judged["opaque"])
        for path, own in known.items()
        for name in own
    ]
    contents = [(value, guard_content(value)) for *_, value in objects]
    contents = [(value, content) for value, content in contents if content is not None]
    missing = [
        (vars(parts[path])[holder] if holder else vars(parts[path]), name)
        for path, own in judged["missing"].items()
        for name in own
        for holder in ("", "_parameters", "_buffers", "_modules")
    ]
    modes = [(parts[path], mode) for path, mode in judged["training"].items()]
    kind, Tensor, float32, known = scope["device"], torch.Tensor, torch.float32, {}
    tensors = []
    for name, (dtype, shape, strides) in judged["state"].items():
        path, _, last = name.rpartition(".")
        part = parts[path]
        holder = part._parameters if last in part._parameters else part._buffers
        tensor = holder.get(last)
        is_parameter = holder is part._parameters
        if type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.layout is not torch.strided:
            raise ValueError(f"{name} is no plain tensor")
        if tensor.is_inference() and is_parameter:
            raise ValueError(f"{name} was made in inference mode, where no change can be seen")
        layout = getattr(torch, dtype), torch.Size(shape), tuple(strides)
        seen = None if tensor.is_inference() else tensor
        words = f"{name} is not {dtype}{shape}"
        is_kept = is_parameter or name not in judged["replaced"] and seen is not None
        wanted = is_kept, name not in judged["changed"], name not in judged["unaligned"]
        tensors.append((holder, last, seen, *wanted, *layout, words))
    if guard_tied(module) != judged["tied"]:
        raise ValueError("other parameters are tied than when it was judged")
    absent = guard_absent(parts, [holder[name] for holder, name, *_ in tensors])
    marks = [None] * len(tensors)
    latest = [(None, None)]
    classes = [
        (part, type(part), own, len(own), own["_parameters"], own["_buffers"])
        for part, own in zip(parts.values(), map(vars, parts.values()))
    ]
    classes = [(*one, len(one[-2]), len(one[-1])) for one in classes]
    device = tensors[0][0][tensors[0][1]].device if tensors else torch.device(kind)
    names = guard_named(super(Guarded, module).forward, len(judged["arguments"]))

    def outside(given):
        if guard_forks:
            return "this process was forked"
        if guard_is_autocast(kind):
            return "autocast is on"
        if guard_default_dtype() is not float32:
            return "the default dtype is not float32"
        if guard_function_modes() or guard_dispatch_modes() and guard_has_infra_mode():
            return "a mode of torch is on (a default device, fake tensors)"
        if guard_has_gradients():
            for holder, name, *_ in tensors:
                if holder.get(name) is not None and holder[name].requires_grad:
                    return GUARD_GRADIENTS
            if any(map(guard_wants_gradients, given)):
                return GUARD_GRADIENTS
        for own, now, before in children:
            if own["_modules"] is not now or [*now.items()] != before:
                return "a submodule was replaced"
        if any(hooks):
            return "a submodule has hooks or parametrizations"
        for part, kind_of_part, attributes, size, parameters, buffers, most, more in classes:
            if (
                len(attributes) != size
                or type(part) is not kind_of_part
                or attributes["_parameters"] is not parameters
                or attributes["_buffers"] is not buffers
                or len(parameters) != most
                or len(buffers) != more
            ):
                return GUARD_REPLACED
        for holder, name, value in objects:
            if holder.get(name) is not value:
                return GUARD_REPLACED
        for value, content in contents:
            if guard_content(value) != content:
                return GUARD_REPLACED
        for holder, name in missing:
            if name in holder:
                return f"{name} was not there when it was judged"
        for holder, name, value in numbers:
            if holder.get(name) is not value and not guard_same(holder.get(name), value):
                return f"{name} is not {value!r:.80}"
        for part, mode in modes:
            if part.training is not mode:
                return f"the mode of a {type(part).__name__} is {'eval()' if mode else 'train()'}"
        for holder, name in absent:
            if holder.get(name) is not None:
                return f"{name} is not None"
        for at, watched in enumerate(tensors):
            holder, name, seen, is_kept, stays, is_aligned, dtype, shape, strides, words = watched
            tensor, mark = holder.get(name), None
            if tensor is seen is not None:
                mark = tensor._version, tensor.data_ptr()
                if mark == marks[at]:
                    continue
                if marks[at] is not None and (stays or mark[1] != marks[at][1]):
                    return GUARD_REPLACED  # changed, or it lies elsewhere: set by `.data`, or moved
            elif is_kept:
                return GUARD_REPLACED
            # A forward may replace buffers, even by those of inference mode: no version there.
            if (
                tensor is None
                or tensor.dtype is not dtype
                or tensor.shape != shape
                or tensor.stride() != strides
                or tensor.device != device
            ):
                return words
            if is_aligned and tensor.data_ptr() % GUARD_ALIGNED:
                return f"{name} does not lie at a multiple of {GUARD_ALIGNED} bytes"
            marks[at] = mark
        try:
            key = [
                (
                    value.dtype,
                    value.shape,
                    value.stride(),
                    value.is_neg(),
                    value.is_cpu or value.device,
                )
                if type(value) is Tensor
                else guard_keyed(value)
                for value in given
            ]
            before, reason = latest[0]
            if key == before:
                return reason
            hashed = tuple(key)
            if hashed in known:
                latest[0] = key, known[hashed]
                return known[hashed]
            there = device if tensors else None
            reasons = [guard_mismatch(family, names, given, kind, there) for family in families]
        except (RuntimeError, TypeError):  # no strides, as in a sparse tensor; or not hashable
            return "an argument is of another kind"
        if len(known) > GUARD_SHAPES:
            known.clear()
        known[hashed] = reason = None if None in reasons else reasons[0]
        latest[0] = key, reason
        return reason

    return outside


def guard_kind(part):
    """Return a module's class: by its name alone if this file defines it, else by module too."""
    kind = type(part)
    is_own = kind.__module__ == __name__
    return kind.__qualname__ if is_own else f"{kind.__module__}.{kind.__qualname__}"


def guard_absent(parts, tensors):
    """Return where parameters and buffers are None. Raise if there are some beside `tensors`."""
    known = set(map(id, tensors))
    absent = []
    for path, part in parts.items():
        for holder in (part._parameters, part._buffers):
            for name, tensor in holder.items():
                if tensor is None:
                    absent.append((holder, name))
                elif id(tensor) not in known:
                    raise ValueError(f"{path}.{name} was not there when it was judged".lstrip("."))
    return absent


def guard_tied(module):
    """Return the names of each parameter or buffer that has several."""
    names = {}
    for name, tensor in (
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ):
        names.setdefault(id(tensor), []).append(name)
    return sorted(own for own in names.values() if len(own) > 1)


def guard_text(value):
    """Return a text that only an equal value has; None for what no text describes."""
    name, place = getattr(value, "__qualname__", None), getattr(value, "__module__", None)
    if isinstance(name, str):  # a function, a class
        return None if "<" in name else name if place == __name__ else f"{place}.{name}"
    kind = type(value)
    if kind in GUARD_DESCRIBED or hasattr(kind, "__members__") or kind.__module__ == "numpy":
        return f"{kind.__qualname__} {value!r}"[:2000]
    return None


def guard_content(value):
    """Return what a container holds, in a text or in bytes; None for everything else."""
    if type(value).__module__ == "numpy" and hasattr(value, "tobytes"):
        return value.tobytes()
    if isinstance(value, (list, dict, set, collections.deque)):
        return repr(value)
    return None


def guard_has_infra_mode():
    """Whether calls are diverted to fake tensors or into a trace."""
    keys = torch._C._TorchDispatchModeKey
    return any(torch._C._get_dispatch_mode(key) for key in (keys.FAKE, keys.PROXY))


def guard_keyed(value):
    """Return an argument that is not a plain tensor as part of a key."""
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(guard_keyed, value))
    if isinstance(value, dict):
        return type(value), tuple((name, guard_keyed(item)) for name, item in value.items())
    if type(value) is torch.Tensor:
        return value.dtype, value.shape, value.stride(), value.is_neg(), value.device
    return type(value), value if isinstance(value, GUARD_PLAIN) else id(type(value))


def guard_wants_gradients(value):
    """Whether a tensor of an argument requires gradients."""
    if isinstance(value, (list, tuple)):
        return any(map(guard_wants_gradients, value))
    if isinstance(value, dict):
        return any(map(guard_wants_gradients, value.values()))
    return isinstance(value, torch.Tensor) and value.requires_grad


def guard_mismatch(family, names, given, kind, device):
    """Return which argument is outside a family of shapes, or None."""
    sizes = {"device": device} if device else {}
    for name, pattern, value in zip(names, family["arguments"], given, strict=True):
        if not guard_fits(pattern, value, sizes, kind):
            given = "" if type(value) is torch.Tensor else f" but {guard_described(value)}"
            return f"{name} is not {guard_pattern_words(pattern)}{given}"
    for size, (low, high) in family["sizes"].items():
        if not low <= sizes[size] <= high:
            return f"the size {size} is not from {low} to {high}"
    return None


def guard_fits(pattern, value, sizes, kind):
    """Whether a value fits a pattern; notes its device and the sizes of free dimensions."""
    ((form, wanted),) = pattern.items()
    if form == "value":
        return guard_same(value, wanted)
    if form == "number":
        return type(value) is float and wanted[0] <= value <= wanted[1]
    if form == "tensor":
        dtype, shape, order = wanted
        if type(value) is not torch.Tensor or value.dtype is not getattr(torch, dtype):
            return False
        if value.dim() != len(shape) or value.device.type != kind:
            return False
        pairs = [("device", value.device), *zip(shape, value.shape)]
        return (
            all(sizes.setdefault(s, n) == n if isinstance(s, str) else s == n for s, n in pairs)
            and value.stride() == guard_strides(value.shape, order)
            and not (value.is_conj() or value.is_neg())
        )
    if form == "dict":
        return (
            type(value) is dict
            and list(value) == list(wanted)
            and all(guard_fits(wanted[name], value[name], sizes, kind) for name in wanted)
        )
    return (
        type(value) is {"list": list, "tuple": tuple}[form]
        and len(value) == len(wanted)
        and all(guard_fits(one, item, sizes, kind) for one, item in zip(wanted, value))
    )


def guard_strides(shape, order):
    """Return the strides of a dense tensor, dimensions from the largest to the smallest."""
    strides, step = [0] * len(shape), 1
    for dim in reversed(order):
        strides[dim], step = step, step * max(shape[dim], 1)
    return tuple(strides)


def guard_named(function, count):
    """Return the names of a function's first arguments; those of *args have a number."""
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return names + [f"{parameter.name}[{number}]" for number in range(count - len(names))]
        names.append(parameter.name)
    return names[:count]


def guard_bound(function, args, kwargs):
    """Return the arguments of a call with the defaults of those that were left out."""
    found = inspect.signature(function).bind(*args, **kwargs)
    found.apply_defaults()
    return [list(found.args), found.kwargs]


def guard_arranged(function, args, kwargs, count):
    """Return a call as its first `count` positional arguments; None where it is more than that."""
    try:
        given, named = guard_bound(function, args, kwargs)
    except TypeError:  # the original forward says what is wrong
        return None
    defaults = {
        parameter.name: parameter.default
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is not parameter.empty
    }
    positions = list(inspect.signature(function).parameters)
    extra = {**dict(zip(positions[count:], given[count:])), **named}
    is_plain = all(name in defaults and guard_same(extra[name], defaults[name]) for name in extra)
    return tuple(given[:count]) if is_plain and len(given) >= count else None


def guard_same(left, right):
    """Whether two plain values are equal and of one type; others never are."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(guard_same, left, right))
    if isinstance(left, dict):
        return guard_same(list(left.items()), list(right.items()))
    return isinstance(left, GUARD_PLAIN) and (left == right or left != left and right != right)


def guard_described(value):
    """Return an argument in a few words."""
    if type(value) in (torch.Tensor, torch.nn.Parameter) and not value.is_nested:
        kind = "" if type(value) is torch.Tensor else "Parameter "
        return f"{kind}{str(value.dtype)[6:]}{list(value.shape)}"
    return repr(value)[:40] if isinstance(value, GUARD_PLAIN) else type(value).__name__


def guard_pattern_words(pattern):
    """Return a pattern of the scope in words."""
    ((form, wanted),) = pattern.items()
    if form == "tensor":
        order = "contiguous" if wanted[2] == sorted(wanted[2]) else f"dense (order {wanted[2]})"
        return f"{wanted[0]}[{', '.join(map(str, wanted[1]))}], {order}"
    if form == "number":
        return f"a float from {wanted[0]!r} to {wanted[1]!r}"
    return repr(wanted) if form == "value" else f"such a {form}"
