-- Counts anew what jobs $2 of project $1 wait for, and how much of it is done.
select count_work($1, $2)
