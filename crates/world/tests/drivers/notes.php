<?php

// Runs a line as it is pasted into a program, beside the file ca.pem, and says how many notes there are.
$pdo = eval('return ' . str_replace('PASSWORD', getenv('PASSWORD'), getenv('CODE')) . ';');
echo $pdo->query('SELECT count(*) FROM notes')->fetchColumn(), "\n";
