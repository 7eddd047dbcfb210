-- Licences of operating systems, in pools. An image says which pool its licences come from; a server that is made from it has a seat there from
-- then on, also through retention, until it is buried or made from something else. A disk image carries the pool on and has no seat.
create table licence_pool (
    name    text primary key check (name ~ '^[a-z][a-z0-9.-]{0,62}$'),
    seats   integer not null check (seats between 0 and 1000000),
    note    text not null default '' check (length(note) <= 1000),
    changed timestamptz not null default now()
);
create table licence_use (
    solution uuid primary key references solution,
    account  uuid not null references account,
    -- Of a pool that staff may not have made yet: then it has no seats.
    pool     text not null,
    seat     boolean not null,
    since    timestamptz not null default now()
);
create index licence_use_by_pool on licence_use (pool);

do $$
declare t text;
begin
    foreach t in array array['licence_pool', 'licence_use'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format('create policy owner_all on %I to husorden_owner using (true) with check (true)', t);
    end loop;
end $$;
create policy staff_keep on licence_pool to husorden_staff using (true) with check (true);
create policy staff_see on licence_use for select to husorden_staff using (true);
grant select, insert, update, delete on licence_pool to husorden_staff;
grant select on licence_use to husorden_staff;

-- What a solution is made from, by the name of an image.
create function image_of(s solution) returns text language sql immutable as $$
    select case s.kind when 'disk-image' then s.spec->>'origin' else s.spec->>'image' end
$$;

-- The pool that licences of an image come from; none where it needs none.
create function licence_pool_of(p_account uuid, p_image text) returns text
language sql stable security definer set search_path = public, pg_temp as $$
    select case when images_known() ? p_image then images_known()->p_image->>'licence_pool' else coalesce(
        (select u.pool from licence_use u join solution i on i.id = u.solution
          where i.account = p_account and i.kind = 'disk-image' and 'own-' || i.number = p_image),
        -- An image that is gone from every node, or was buried, is known by who is made from it.
        (select u.pool from licence_use u join solution s on s.id = u.solution
          where s.account = p_account and image_of(s) = p_image limit 1)) end
$$;

-- Whoever changes a spec, and however, the uses follow.
create function licence_follow() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare p text;
begin
    if new.deleted is not null then
        delete from licence_use where solution = new.id;
        return null;
    end if;
    if tg_op = 'UPDATE' then
        if (image_of(old), old.hold_for) is not distinct from (image_of(new), new.hold_for) then return null; end if;
    end if;
    p := licence_pool_of(new.account, image_of(new));
    -- A change that waits for an order may come to nothing: what was there before keeps its licence until the order has ended.
    if p is null and new.hold_for is null then
        delete from licence_use where solution = new.id;
    elsif p is not null then
        insert into licence_use (solution, account, pool, seat) values (new.id, new.account, p, new.kind <> 'disk-image')
            on conflict (solution) do update set pool = excluded.pool, since = now() where licence_use.pool <> excluded.pool;
    end if;
    return null;
end $$;
create trigger licence_follow after insert or update of spec, hold_for, deleted on solution for each row
    when (new.kind in ('server', 'disk-image')) execute function licence_follow();

-- Whether a solution of the bound account may be made from an image: the pool, its seats, and those that others have. Nobody else asks for one of
-- the pool until the transaction ends. None where no licence is needed.
create function licence_room(p_solution uuid, p_image text) returns jsonb
language plpgsql security definer set search_path = public, pg_temp as $$
declare p text := licence_pool_of(bound_account(), p_image);
begin
    if p is null then return null; end if;
    perform pg_advisory_xact_lock(4818, hashtext(p));
    return jsonb_build_object('pool', p,
        'seats', coalesce((select seats from licence_pool where name = p), 0),
        'used', (select count(*) from licence_use where pool = p and seat and solution <> p_solution));
end $$;

-- Every pool that there is or that an image names, with who has a seat in it, for staff.
create function licence_pools() returns setof jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    with image as (select key as name, value->>'licence_pool' as pool from jsonb_each(images_known()))
    select jsonb_build_object('name', n.name, 'seats', coalesce(p.seats, 0), 'note', coalesce(p.note, ''),
            'images', coalesce((select jsonb_agg(i.name order by i.name) from image i where i.pool = n.name), '[]'),
            'uses', coalesce((select jsonb_agg(jsonb_build_object('solution', s.id, 'name', s.name, 'account', a.name, 'since', u.since)
                                               order by u.since, s.id)
                                from licence_use u join solution s on s.id = u.solution join account a on a.id = u.account
                               where u.pool = n.name and u.seat), '[]'))
      from (select name from licence_pool union select pool from image where pool is not null
            union select pool from licence_use) n left join licence_pool p on p.name = n.name
     order by n.name
$$;
grant execute on function licence_room(uuid, text) to husorden_tenant;
grant execute on function licence_follow() to husorden_tenant, husorden_staff;
grant execute on function licence_pools() to husorden_staff;
