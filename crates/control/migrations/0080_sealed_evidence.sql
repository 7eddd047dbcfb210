-- What is sealed loses nothing: fields whose days are over while their account is sealed wait until it no longer is.
create table evidence_held (
    class text not null,
    leaf  bigint not null,
    path  text not null,
    primary key (class, leaf, path)
);
alter table evidence_held enable row level security;
alter table evidence_held force row level security;
create policy owner_all on evidence_held to husorden_owner using (true) with check (true);

-- Which of these leaves belong to an account that is sealed, also where nobody may know of it.
create function evidence_sealed(p_leaves bigint[]) returns setof bigint
language sql stable security definer set search_path = public, pg_temp as $$
    select l.index from evidence_leaf l join evidence e on e.id = l.line
    where l.index = any (p_leaves) and e.account is not null and sealed_by(array[e.account], false) is not null
$$;

create function evidence_hold(p_class text, p_leaves bigint[], p_paths text[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into evidence_held (class, leaf, path) select p_class, n.leaf, n.path from unnest(p_leaves, p_paths) n (leaf, path)
    on conflict do nothing
$$;

-- What waited and is sealed no more.
create function evidence_released(p_class text, p_limit integer) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select jsonb_build_object('leaves', coalesce(jsonb_agg(h.leaf), '[]'), 'paths', coalesce(jsonb_agg(h.path), '[]'))
    from (select h.leaf, h.path from evidence_held h
           where h.class = p_class and not exists (select from evidence_sealed(array[h.leaf])) order by h.leaf, h.path limit p_limit) h
$$;

-- It is erased, and waits no more.
create function evidence_let_go(p_class text, p_leaves bigint[], p_paths text[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    delete from evidence_held h using unnest(p_leaves, p_paths) n (leaf, path)
    where h.class = p_class and h.leaf = n.leaf and h.path = n.path
$$;

grant execute on function evidence_sealed(bigint[]), evidence_hold(text, bigint[], text[]), evidence_released(text, integer),
    evidence_let_go(text, bigint[], text[]) to husorden_system;
